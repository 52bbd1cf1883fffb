CREATE TABLE public.copies (
    id bigint NOT NULL,
    offer_id character varying(32) NOT NULL,
    bsn character varying(9) NOT NULL,
    configuration character varying(32) NOT NULL,
    "position" integer NOT NULL,
    list integer NOT NULL,
    idx integer NOT NULL,
    issued bigint NOT NULL,
    expires bigint NOT NULL,
    revoked bigint,
    reason text
);
CREATE SEQUENCE public.copies_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.copies_id_seq OWNED BY public.copies.id;
CREATE TABLE public.next_positions (
    bsn character varying(9) NOT NULL,
    configuration character varying(32) NOT NULL,
    next integer NOT NULL
);
CREATE TABLE public.notifications (
    id character varying(22) NOT NULL,
    offer_id character varying(32) NOT NULL,
    configuration character varying(32) NOT NULL,
    event character varying(32)
);
CREATE TABLE public.offers (
    id character varying(32) NOT NULL,
    bsn character varying(9) NOT NULL,
    configurations text NOT NULL,
    tx_code_hash bytea NOT NULL,
    expires bigint NOT NULL,
    tries_left integer NOT NULL,
    redeemed integer NOT NULL,
    replaces character varying(32),
    start integer
);
CREATE TABLE public.persons (
    bsn character varying(9) NOT NULL,
    record text NOT NULL,
    imported bigint NOT NULL
);
CREATE TABLE public.sets (
    bsn character varying(9) NOT NULL,
    "position" integer NOT NULL,
    set_id character varying(22) NOT NULL
);
CREATE TABLE public.spent_nonces (
    nonce bytea NOT NULL,
    expires bigint NOT NULL
);
CREATE TABLE public.status_lists (
    number integer NOT NULL,
    given_out integer NOT NULL
);
CREATE SEQUENCE public.status_lists_number_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.status_lists_number_seq OWNED BY public.status_lists.number;
CREATE TABLE public.tokens (
    token_hash bytea NOT NULL,
    offer_id character varying(32) NOT NULL,
    expires bigint NOT NULL
);
ALTER TABLE ONLY public.copies ALTER COLUMN id SET DEFAULT nextval('public.copies_id_seq'::regclass);
ALTER TABLE ONLY public.status_lists ALTER COLUMN number SET DEFAULT nextval('public.status_lists_number_seq'::regclass);
INSERT INTO public.copies VALUES (1, 'dbbac5fa6168ad5bc6453ee74bbb2686', '999100002', 'persoon', 0, 0, 816895, 1795305600, 1858377600, NULL, NULL);
INSERT INTO public.copies VALUES (2, 'dbbac5fa6168ad5bc6453ee74bbb2686', '999100002', 'persoon', 1, 0, 51466, 1795305600, 1858377600, NULL, NULL);
INSERT INTO public.copies VALUES (3, 'dbbac5fa6168ad5bc6453ee74bbb2686', '999100002', 'adres', 0, 0, 625611, 1795305600, 1858377600, NULL, NULL);
INSERT INTO public.copies VALUES (4, 'dbbac5fa6168ad5bc6453ee74bbb2686', '999100002', 'adres', 1, 0, 336511, 1795305600, 1858377600, NULL, NULL);
INSERT INTO public.next_positions VALUES ('999100002', 'persoon', 30);
INSERT INTO public.next_positions VALUES ('999100002', 'adres', 30);
INSERT INTO public.notifications VALUES ('nD7F48J57HdotrNPFITApA', 'dbbac5fa6168ad5bc6453ee74bbb2686', 'persoon', NULL);
INSERT INTO public.notifications VALUES ('vWv-T2Fvk0E3C8QACVO2Ew', 'dbbac5fa6168ad5bc6453ee74bbb2686', 'adres', NULL);
INSERT INTO public.offers VALUES ('dbbac5fa6168ad5bc6453ee74bbb2686', '999100002', 'persoon adres', '\x9b0bc67a9cd09484368fc15dd2b15bba50c31853f79ab705c2affc76cfb2d3e0', 1795342500, 5, 1, NULL, 0);
INSERT INTO public.offers VALUES ('17df6865aae1f3c5af291934cad9e905', '999108669', 'persoon', '\x425ecb84efd797fa1e19b198803fa501258b1e1515f5cc5111e4e8d0a39be369', 1795342500, 5, 0, NULL, NULL);
INSERT INTO public.persons VALUES ('999100002', '{"burgerservicenummer":"999100002","datumEersteInschrijvingGBA":{"type":"Datum","datum":"1995-01-09","langFormaat":"9 januari 1995"},"geslacht":{"code":"V","omschrijving":"vrouw"},"naam":{"voornamen":"Noor Elisabeth","geslachtsnaam":"Verhulst","voorletters":"N.E.","volledigeNaam":"Noor Elisabeth Verhulst","aanduidingNaamgebruik":{"code":"E","omschrijving":"eigen geslachtsnaam"}},"nationaliteiten":[{"type":"Nationaliteit","redenOpname":{"code":"017","omschrijving":"Rijkswet op het Nederlanderschap 1984, art. 3, lid 1"},"datumIngangGeldigheid":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"},"nationaliteit":{"code":"0001","omschrijving":"Nederlandse"}}],"geboorte":{"datum":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}},"verblijfplaats":{"type":"Adres","datumVan":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"datumIngangGeldigheid":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"functieAdres":{"code":"W","omschrijving":"woonadres"},"verblijfadres":{"officieleStraatnaam":"Kersenlaan","korteStraatnaam":"Kersenlaan","huisnummer":12,"huisletter":"B","postcode":"9901SA","woonplaats":"Lindehaven"}},"gemeenteVanInschrijving":{"code":"9901","omschrijving":"Lindehaven"},"datumInschrijvingInGemeente":{"type":"Datum","datum":"2026-09-01","langFormaat":"1 september 2026"},"adressering":{"adresregel1":"Kersenlaan 12B","adresregel2":"9901 SA  LINDEHAVEN"},"gezag":[{"type":"GezamenlijkOuderlijkGezag","minderjarige":{"burgerservicenummer":"999103477","naam":{"volledigeNaam":"Tijn Hidde Brandsma"}},"ouders":[{"burgerservicenummer":"999100002","naam":{"volledigeNaam":"Noor Elisabeth Verhulst"}},{"burgerservicenummer":"999101742","naam":{"volledigeNaam":"Jelle Brandsma"}}]},{"type":"GezamenlijkOuderlijkGezag","minderjarige":{"burgerservicenummer":"999105206","naam":{"volledigeNaam":"Wende Brandsma"}},"ouders":[{"burgerservicenummer":"999100002","naam":{"volledigeNaam":"Noor Elisabeth Verhulst"}},{"burgerservicenummer":"999101742","naam":{"volledigeNaam":"Jelle Brandsma"}}]}],"kinderen":[{"burgerservicenummer":"999103477","naam":{"voornamen":"Tijn Hidde","geslachtsnaam":"Brandsma","voorletters":"T.H."},"geboorte":{"datum":{"type":"Datum","datum":"2009-02-28","langFormaat":"28 februari 2009"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}},{"burgerservicenummer":"999105206","naam":{"voornamen":"Wende","geslachtsnaam":"Brandsma","voorletters":"W."},"geboorte":{"datum":{"type":"Datum","datum":"2014-09-30","langFormaat":"30 september 2014"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}}],"ouders":[{"naam":{"voornamen":"Els","geslachtsnaam":"Hamer","voorletters":"E."},"geboorte":{"datum":{"type":"Datum","datum":"1956-01-17","langFormaat":"17 januari 1956"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9903","omschrijving":"Duinrade"}},"geslacht":{"code":"V","omschrijving":"vrouw"},"ouderAanduiding":"1","datumIngangFamilierechtelijkeBetrekking":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"}},{"naam":{"voornamen":"Pieter Jacob","geslachtsnaam":"Verhulst","voorletters":"P.J."},"geboorte":{"datum":{"type":"JaarDatum","jaar":1954,"langFormaat":"1954"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9903","omschrijving":"Duinrade"}},"geslacht":{"code":"M","omschrijving":"man"},"ouderAanduiding":"2","datumIngangFamilierechtelijkeBetrekking":{"type":"Datum","datum":"1987-04-12","langFormaat":"12 april 1987"}}],"partners":[{"burgerservicenummer":"999101742","naam":{"voornamen":"Jelle","geslachtsnaam":"Brandsma","voorletters":"J."},"geboorte":{"datum":{"type":"Datum","datum":"1985-11-03","langFormaat":"3 november 1985"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9902","omschrijving":"Wilgendam"}},"geslacht":{"code":"M","omschrijving":"man"},"soortVerbintenis":{"code":"H","omschrijving":"huwelijk"},"aangaanHuwelijkPartnerschap":{"datum":{"type":"Datum","datum":"2008-06-20","langFormaat":"20 juni 2008"},"land":{"code":"6030","omschrijving":"Nederland"},"plaats":{"code":"9901","omschrijving":"Lindehaven"}}}]}', 1795341600);
INSERT INTO public.persons VALUES ('999108669', '{"burgerservicenummer":"999108669","datumEersteInschrijvingGBA":{"type":"Datum","datum":"2019-02-18","langFormaat":"18 februari 2019"},"geslacht":{"code":"M","omschrijving":"man"},"naam":{"voornamen":"Karim","geslachtsnaam":"Belhadj","voorletters":"K.","volledigeNaam":"Karim Belhadj","aanduidingNaamgebruik":{"code":"E","omschrijving":"eigen geslachtsnaam"}},"nationaliteiten":[{"type":"Nationaliteit","datumIngangGeldigheid":{"type":"DatumOnbekend","onbekend":true,"langFormaat":"onbekend"},"nationaliteit":{"code":"0131","omschrijving":"Marokkaanse"}}],"geboorte":{"datum":{"type":"JaarMaandDatum","jaar":2008,"maand":11,"langFormaat":"november 2008"},"land":{"code":"5022","omschrijving":"Marokko"},"plaats":{"omschrijving":"Figuig"}},"verblijfplaats":{"type":"Adres","datumVan":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"datumIngangGeldigheid":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"functieAdres":{"code":"W","omschrijving":"woonadres"},"verblijfadres":{"officieleStraatnaam":"Weversplein","korteStraatnaam":"Weversplein","huisnummer":140,"postcode":"9903SS","woonplaats":"Duinrade"}},"gemeenteVanInschrijving":{"code":"9903","omschrijving":"Duinrade"},"datumInschrijvingInGemeente":{"type":"JaarMaandDatum","jaar":2019,"maand":2,"langFormaat":"februari 2019"},"adressering":{"adresregel1":"Weversplein 140","adresregel2":"9903 SS  DUINRADE"},"gezag":[],"kinderen":[],"ouders":[],"partners":[]}', 1795341600);
INSERT INTO public.sets VALUES ('999100002', 0, 'vaEEC8DmXZidm5b2UwemAQ');
INSERT INTO public.sets VALUES ('999100002', 1, '6p3dgiKyUe_BwbT3alkbVw');
INSERT INTO public.spent_nonces VALUES ('\xc4168f3ee2956fc7238dd0ec051b1b3b', 1795341900);
INSERT INTO public.spent_nonces VALUES ('\x2f871b4030079d67d786600384bac025', 1795341900);
INSERT INTO public.status_lists VALUES (0, 4);
INSERT INTO public.tokens VALUES ('\x6d67e0d3f9e9af7745d1fd4639df04d7b6bced685ef0269da39dda3d57c98bfc', 'dbbac5fa6168ad5bc6453ee74bbb2686', 1795341900);
SELECT pg_catalog.setval('public.copies_id_seq', 4, true);
SELECT pg_catalog.setval('public.status_lists_number_seq', 1, false);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_list_idx_key UNIQUE (list, idx);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_offer_id_configuration_position_key UNIQUE (offer_id, configuration, "position");
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.next_positions
    ADD CONSTRAINT next_positions_pkey PRIMARY KEY (bsn, configuration);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.offers
    ADD CONSTRAINT offers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.persons
    ADD CONSTRAINT persons_pkey PRIMARY KEY (bsn);
ALTER TABLE ONLY public.sets
    ADD CONSTRAINT sets_pkey PRIMARY KEY (bsn, "position");
ALTER TABLE ONLY public.sets
    ADD CONSTRAINT sets_set_id_key UNIQUE (set_id);
ALTER TABLE ONLY public.spent_nonces
    ADD CONSTRAINT spent_nonces_pkey PRIMARY KEY (nonce);
ALTER TABLE ONLY public.status_lists
    ADD CONSTRAINT status_lists_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (token_hash);
CREATE INDEX copies_by_offer ON public.copies USING btree (offer_id, configuration);
CREATE INDEX copies_revoked ON public.copies USING btree (list, revoked);
