-- Whoever is called outside hears a code; by it the contact is found again.
ALTER TABLE outside_legs ADD COLUMN contact TEXT;
ALTER TABLE outside_legs ADD COLUMN code TEXT;
CREATE INDEX outside_legs_code ON outside_legs (tenant, code, dialled_at);
