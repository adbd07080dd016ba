-- Identities of people at a provider of OpenID Connect, and which sessions were begun by one.
-- +goose Up
CREATE TABLE work_identity(issuer TEXT NOT NULL, sub TEXT NOT NULL, person TEXT NOT NULL, bound_by TEXT NOT NULL, bound BIGINT NOT NULL, PRIMARY KEY(issuer, sub));
CREATE UNIQUE INDEX work_identity_person ON work_identity(issuer, person);
ALTER TABLE work_session ADD COLUMN identified INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET value = '4' WHERE name = 'version';
