-- Both stacks of a promotion know each other's files.

-- +goose Up

-- Whether the instances of the tier keep the files of both sides alike. Otherwise they only fetch what they are asked for
-- and do not have: what was uploaded on the other side just before the requests came back.
ALTER TABLE promotion.alignment ADD COLUMN keeps_alike boolean NOT NULL DEFAULT true;

-- +goose Down
ALTER TABLE promotion.alignment DROP COLUMN keeps_alike;
