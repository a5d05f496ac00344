-- When a contact of the person was last in somebody's hand; 0: not since this is kept. People who are not seen any more leave.
ALTER TABLE customers ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX customers_seen ON customers (tenant, seen_at);

-- What was filed of contacts whose customer was forgotten before cases went with them: they are gone through once more.
UPDATE contacts SET personal_removed_at = NULL
WHERE personal_removed_at IS NOT NULL
  AND EXISTS (SELECT 1 FROM cases k WHERE k.tenant = contacts.tenant AND k.contact = contacts.id);

-- A draft is finished by whoever wrote it last, who need not have opened it.
DROP INDEX cases_drafts;
CREATE INDEX cases_drafts ON cases (tenant, changed_by, changed_at) WHERE state = 'draft';
