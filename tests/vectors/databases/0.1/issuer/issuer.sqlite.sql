BEGIN TRANSACTION;
CREATE TABLE copies (
	id INTEGER NOT NULL, 
	offer_id VARCHAR(32) NOT NULL, 
	bsn VARCHAR(9) NOT NULL, 
	configuration VARCHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	list INTEGER NOT NULL, 
	idx INTEGER NOT NULL, 
	issued BIGINT NOT NULL, 
	expires BIGINT NOT NULL, 
	revoked BIGINT, 
	reason TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (list, idx), 
	UNIQUE (offer_id, configuration, position)
);
INSERT INTO "copies" VALUES(1,'79ae4b49b812ec11eab503ead63e97fa','999100002','persoon',0,0,981605,1795305600,1858377600,NULL,NULL);
INSERT INTO "copies" VALUES(2,'79ae4b49b812ec11eab503ead63e97fa','999100002','persoon',1,0,129428,1795305600,1858377600,NULL,NULL);
INSERT INTO "copies" VALUES(3,'79ae4b49b812ec11eab503ead63e97fa','999100002','adres',0,0,325993,1795305600,1858377600,NULL,NULL);
INSERT INTO "copies" VALUES(4,'79ae4b49b812ec11eab503ead63e97fa','999100002','adres',1,0,970719,1795305600,1858377600,NULL,NULL);
CREATE TABLE next_positions (
	bsn VARCHAR(9) NOT NULL, 
	configuration VARCHAR(32) NOT NULL, 
	next INTEGER NOT NULL, 
	PRIMARY KEY (bsn, configuration)
);
INSERT INTO "next_positions" VALUES('999100002','persoon',30);
INSERT INTO "next_positions" VALUES('999100002','adres',30);
CREATE TABLE notifications (
	id VARCHAR(22) NOT NULL, 
	offer_id VARCHAR(32) NOT NULL, 
	configuration VARCHAR(32) NOT NULL, 
	event VARCHAR(32), 
	PRIMARY KEY (id)
);
INSERT INTO "notifications" VALUES('xwCf1YVMoAi39moTCP8wgA','79ae4b49b812ec11eab503ead63e97fa','persoon',NULL);
INSERT INTO "notifications" VALUES('QhGNbqQs-TFY6B8W6eV3Fg','79ae4b49b812ec11eab503ead63e97fa','adres',NULL);
CREATE TABLE offers (
	id VARCHAR(32) NOT NULL, 
	bsn VARCHAR(9) NOT NULL, 
	configurations TEXT NOT NULL, 
	tx_code_hash BLOB NOT NULL, 
	expires BIGINT NOT NULL, 
	tries_left INTEGER NOT NULL, 
	redeemed INTEGER NOT NULL, 
	replaces VARCHAR(32), 
	start INTEGER, 
	PRIMARY KEY (id)
);
INSERT INTO "offers" VALUES('79ae4b49b812ec11eab503ead63e97fa','999100002','persoon adres',X'D4E3C518A6E007CA43BF1E8654AC4BBE776526142FE08045667C53557A5000D7',1795342500,5,1,NULL,0);
INSERT INTO "offers" VALUES('b1c1730f3a168c3ab3ac2ea427faa914','999108669','persoon',X'46098721132E685B3F79506A09258721BA59326C979B1B28D512C6BDED25B07D',1795342500,5,0,NULL,NULL);
CREATE TABLE persons (
	bsn VARCHAR(9) NOT NULL, 
	record TEXT NOT NULL, 
	imported BIGINT NOT NULL, 
	PRIMARY KEY (bsn)
);
INSERT INTO "persons" VALUES('999100002','{"burgerservicenummer":"999100002","datumEersteInschrijvingGBA":{"type":"Datum","datum":"1995-01-09","langFormaat":"9 januari 1995"},"geslacht":{"code":"V","omschrijving":"vrouw"},"naam":{"voornamen":"Noor Elisabeth","geslachtsnaam":"Verhulst","voorletters":"N.E.","volledigeNaam":"Noor Elisabeth Verhulst","aanduidingNaamgebruik":{"code":"E","omschrijving":"eigen geslachtsnaam"}},"nationaliteiten":[{"type":"Nationaliteit","redenOpname":{"code":"017","omschrijving":"Rijkswet op het Nederlanderschap 1984, art. 3, lid 1"},"datumIngangGeldigheid":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"},"nationaliteit":{"code":"0001","omschrijving":"Nederlandse"}}],"geboorte":{"datum":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}},"verblijfplaats":{"type":"Adres","datumVan":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"datumIngangGeldigheid":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"functieAdres":{"code":"W","omschrijving":"woonadres"},"verblijfadres":{"officieleStraatnaam":"Kersenlaan","korteStraatnaam":"Kersenlaan","huisnummer":12,"huisletter":"B","postcode":"9901SA","woonplaats":"Lindehaven"}},"gemeenteVanInschrijving":{"code":"9901","omschrijving":"Lindehaven"},"datumInschrijvingInGemeente":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"adressering":{"adresregel1":"Kersenlaan 12B","adresregel2":"9901 SA  LINDEHAVEN"},"gezag":[{"type":"GezamenlijkOuderlijkGezag","minderjarige":{"burgerservicenummer":"999103477","naam":{"volledigeNaam":"Tijn Hidde Brandsma"}},"ouders":[{"burgerservicenummer":"999100002","naam":{"volledigeNaam":"Noor Elisabeth Verhulst"}},{"burgerservicenummer":"999101742","naam":{"volledigeNaam":"Jelle Brandsma"}}]},{"type":"GezamenlijkOuderlijkGezag","minderjarige":{"burgerservicenummer":"999105206","naam":{"volledigeNaam":"Wende Brandsma"}},"ouders":[{"burgerservicenummer":"999100002","naam":{"volledigeNaam":"Noor Elisabeth Verhulst"}},{"burgerservicenummer":"999101742","naam":{"volledigeNaam":"Jelle Brandsma"}}]}],"kinderen":[{"burgerservicenummer":"999103477","naam":{"voornamen":"Tijn Hidde","geslachtsnaam":"Brandsma","voorletters":"T.H."},"geboorte":{"datum":{"type":"Datum","datum":"2009-02-28","langFormaat":"28 februari 2009"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}},{"burgerservicenummer":"999105206","naam":{"voornamen":"Wende","geslachtsnaam":"Brandsma","voorletters":"W."},"geboorte":{"datum":{"type":"Datum","datum":"2014-09-30","langFormaat":"30 september 2014"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}}],"ouders":[{"naam":{"voornamen":"Els","geslachtsnaam":"Hamer","voorletters":"E."},"geboorte":{"datum":{"type":"Datum","datum":"1956-01-17","langFormaat":"17 januari 1956"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9903","omschrijving":"Duinrade"}},"geslacht":{"code":"V","omschrijving":"vrouw"},"ouderAanduiding":"1","datumIngangFamilierechtelijkeBetrekking":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"}},{"naam":{"voornamen":"Pieter Jacob","geslachtsnaam":"Verhulst","voorletters":"P.J."},"geboorte":{"datum":{"type":"JaarDatum","jaar":1954,"langFormaat":"1954"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9903","omschrijving":"Duinrade"}},"geslacht":{"code":"M","omschrijving":"man"},"ouderAanduiding":"2","datumIngangFamilierechtelijkeBetrekking":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"}}],"partners":[{"burgerservicenummer":"999101742","naam":{"voornamen":"Jelle","geslachtsnaam":"Brandsma","voorletters":"J."},"geboorte":{"datum":{"type":"Datum","datum":"1985-11-03","langFormaat":"3 november 1985"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9902","omschrijving":"Wilgendam"}},"geslacht":{"code":"M","omschrijving":"man"},"soortVerbintenis":{"code":"H","omschrijving":"huwelijk"},"aangaanHuwelijkPartnerschap":{"datum":{"type":"Datum","datum":"2008-06-20","langFormaat":"20 juni 2008"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}}]}',1795341600);
INSERT INTO "persons" VALUES('999108669','{"burgerservicenummer":"999108669","datumEersteInschrijvingGBA":{"type":"Datum","datum":"2019-02-18","langFormaat":"18 februari 2019"},"geslacht":{"code":"M","omschrijving":"man"},"naam":{"voornamen":"Karim","geslachtsnaam":"Belhadj","voorletters":"K.","volledigeNaam":"Karim Belhadj","aanduidingNaamgebruik":{"code":"E","omschrijving":"eigen geslachtsnaam"}},"nationaliteiten":[{"type":"Nationaliteit","datumIngangGeldigheid":{"type":"DatumOnbekend","onbekend":true,"langFormaat":"onbekend"},"nationaliteit":{"code":"0131","omschrijving":"Marokkaanse"}}],"geboorte":{"datum":{"type":"JaarMaandDatum","jaar":2008,"maand":11,"langFormaat":"november 2008"},"land":{"code":"5022","omschrijving":"Marokko"},"plaats":{"omschrijving":"Figuig"}},"verblijfplaats":{"type":"Adres","datumVan":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"datumIngangGeldigheid":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"functieAdres":{"code":"W","omschrijving":"woonadres"},"verblijfadres":{"officieleStraatnaam":"Weversplein","korteStraatnaam":"Weversplein","huisnummer":140,"postcode":"9903SS","woonplaats":"Duinrade"}},"gemeenteVanInschrijving":{"code":"9903","omschrijving":"Duinrade"},"datumInschrijvingInGemeente":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"adressering":{"adresregel1":"Weversplein 140","adresregel2":"9903 SS  DUINRADE"},"gezag":[],"kinderen":[],"ouders":[],"partners":[]}',1795341600);
CREATE TABLE sets (
	bsn VARCHAR(9) NOT NULL, 
	position INTEGER NOT NULL, 
	set_id VARCHAR(22) NOT NULL, 
	PRIMARY KEY (bsn, position), 
	UNIQUE (set_id)
);
INSERT INTO "sets" VALUES('999100002',0,'3qRkWgXrwkhrumnUhDcCNQ');
INSERT INTO "sets" VALUES('999100002',1,'RSP0N_UMo_oH-RAfcdj0uQ');
CREATE TABLE spent_nonces (
	nonce BLOB NOT NULL, 
	expires BIGINT NOT NULL, 
	PRIMARY KEY (nonce)
);
INSERT INTO "spent_nonces" VALUES(X'0C539281C7F174E7F1B5DAA2A2C960C4',1795341900);
INSERT INTO "spent_nonces" VALUES(X'FED4E1F21F44558066E039404287DFA3',1795341900);
CREATE TABLE status_lists (
	number INTEGER NOT NULL, 
	given_out INTEGER NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "status_lists" VALUES(0,4);
CREATE TABLE tokens (
	token_hash BLOB NOT NULL, 
	offer_id VARCHAR(32) NOT NULL, 
	expires BIGINT NOT NULL, 
	PRIMARY KEY (token_hash)
);
INSERT INTO "tokens" VALUES(X'3263DD29C0226CF82CB31CE7C4AF1C2ACFA6450EE01ABC19AF3212F00738B370','79ae4b49b812ec11eab503ead63e97fa',1795341900);
CREATE INDEX copies_revoked ON copies (list, revoked);
CREATE INDEX copies_by_offer ON copies (offer_id, configuration);
COMMIT;
