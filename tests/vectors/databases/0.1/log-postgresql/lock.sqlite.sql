BEGIN TRANSACTION;
CREATE TABLE global_lock (
	origin VARCHAR(255) NOT NULL, 
	size INTEGER NOT NULL, 
	root BLOB NOT NULL, 
	time INTEGER NOT NULL, 
	note TEXT NOT NULL, 
	PRIMARY KEY (origin)
);
INSERT INTO "global_lock" VALUES('log.voorbeeld.example/2026',278,X'76E00D8B82D8660056A970EB92F71C9891EA84BF46F6297D65F51F4D75FE0804',1795305600,'log.voorbeeld.example/2026
276
CQZQMIByXAUzY56JlAJ0+JWeXkubkd2qgMu6Oqr44AM=

— log.voorbeeld.example/2026 TfNEM0HrDWVRV2kusYPctdMcF6FbQuB/hhFZB+5hbks0sCChyPfm2szaAbdG7vDGcClynyruUxGOo/y3AGIBYrebtgw=
— auditor.voorbeeld.example ZMXeUgAAAABrAjCAKWgCk27MTABWF3odX2N/UiRfBEMzxsvjEZI9jjT/DFpdavuFr8qabC0+gqsboByv14UXZ5HLAtI0JdzXuA07BQ==
— witness.voorbeeld.example /ni8+QAAAABrAjCADerOatin9xbsczidMaMRakVxShDfL2XUXcE1iNb/T2n7+dbzyIgR4UdrMqqVSeUUiVbaAnHge2nIeo+4GSCXDA==
');
COMMIT;
