-- A customer who calls us holds no number of ours: two calls may come from one number, many from none. Their attempts have no
-- number_key; the one dialog per number is of those that we dial.
DROP INDEX attempts_one_dialog_per_number;
CREATE UNIQUE INDEX attempts_one_dialog_per_number ON attempts (number_key)
    WHERE state IN ('dialling', 'unknown', 'live') AND number_key <> '';
