//! Records that are removed: because their time is over, or because somebody has them erased. What is on legal hold stays.
//!
//! What is filed of a contact goes with its customer's data; people of the directory go when nothing of them is left.
//!
//! Rows, and the audit row that tells of it, go in one transaction. A sound file is then taken from the disk by what
//! `removed_files` says, so that neither a crash nor a full disk leaves a file behind that nobody knows of.

use ringback_routing::{
    ids::{ContactId, RecordingId, TenantId},
    time::Timestamp,
};
use serde_json::json;

use crate::{
    AuditEntry, Store, audit,
    contact::contact_of,
    error::StoreError,
    journal,
    legal_hold::is_held,
    settings::scope_of,
    sql::{Conn, sql},
    turn::json as text_of,
};

/// What of contacts closed before these moments is removed; None: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionCut {
    pub recordings: Option<Timestamp>,
    pub transcripts: Option<Timestamp>,
    /// Also of the journal.
    pub personal: Option<Timestamp>,
    /// People of the directory, by when they were last seen or changed.
    pub directory: Option<Timestamp>,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    pub recordings: u64,
    pub transcripts: u64,
    /// Contacts whose customer is forgotten.
    pub personal: u64,
    /// What was filed of those.
    pub cases: u64,
    /// People of the directory.
    pub people: u64,
    pub journal: u64,
    /// A limit was reached: there may be more.
    pub more: bool,
    /// Contacts that were asked for and stay, because they are held.
    pub held: Vec<ContactId>,
}

/// What of contacts is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    Recordings,
    Transcript,
    Personal,
}

/// A file that is to be taken from its node's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedFile {
    pub tenant: TenantId,
    pub recording: RecordingId,
    pub path: String,
}

impl Store {
    /// Removes what is due, of each kind up to `limit` contacts (and journal entries), the oldest first.
    pub async fn retain(
        &self,
        tenant: &TenantId,
        cut: RetentionCut,
        limit: u32,
        now: Timestamp,
    ) -> Result<Removed, StoreError> {
        let tenant = tenant.clone();
        self.write(move |conn| {
            Box::pin(async move {
                let (mut removed, mut told) = (Removed::default(), Told::default());
                for (what, before) in [
                    (Removal::Recordings, cut.recordings),
                    (Removal::Transcript, cut.transcripts),
                    (Removal::Personal, cut.personal),
                ] {
                    let Some(before) = before else { continue };
                    let due = due(conn, &tenant, what, before, limit).await?;
                    removed.more |= due.len() >= limit as usize;
                    for contact in due {
                        remove(conn, &tenant, contact, what, now, &mut removed, &mut told).await?;
                    }
                }
                if let Some(before) = cut.personal {
                    // Entries hold what customers asked for: those as old as what is forgotten go as a whole.
                    removed.journal = journal::purge(conn, &tenant, before, limit).await?;
                    removed.more |= removed.journal >= u64::from(limit);
                }
                if let Some(before) = cut.directory {
                    told.people = remove_people(conn, &tenant, before, limit).await?;
                    removed.people = told.people.len() as u64;
                    removed.more |= removed.people >= u64::from(limit);
                }
                told.write(conn, &tenant, "system", "records_removed", now, &removed).await?;
                Ok(removed)
            })
        })
        .await
    }

    /// Removes everything of these contacts that is not held, whatever their age; they are closed. `who` has it done.
    pub async fn erase_contacts(
        &self,
        tenant: &TenantId,
        contacts: Vec<ContactId>,
        who: &str,
        now: Timestamp,
    ) -> Result<Removed, StoreError> {
        let (tenant, who) = (tenant.clone(), who.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let (mut removed, mut told) = (Removed::default(), Told::default());
                for contact in contacts {
                    if is_held(conn, &tenant, contact).await? {
                        removed.held.push(contact);
                        continue;
                    }
                    for what in [Removal::Recordings, Removal::Transcript, Removal::Personal] {
                        remove(conn, &tenant, contact, what, now, &mut removed, &mut told).await?;
                    }
                }
                told.write(conn, &tenant, &who, "records_erased", now, &removed).await?;
                Ok(removed)
            })
        })
        .await
    }

    /// Files of this node that are still to be taken from the disk, up to `limit`.
    pub async fn removed_files(&self, node: &str, limit: u32) -> Result<Vec<RemovedFile>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql(
            "SELECT tenant, recording, path FROM removed_files WHERE node = $1 ORDER BY tenant, recording LIMIT $2",
        )
        .text(node)
        .int(i64::from(limit))
        .all(&mut reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(RemovedFile {
                    tenant: TenantId::new(row.text("tenant")?),
                    recording: row.id("recording", "recording")?,
                    path: row.text("path")?,
                })
            })
            .collect()
    }

    /// The file is gone from the disk.
    pub async fn file_removed(&self, file: RemovedFile) -> Result<(), StoreError> {
        let gone = sql("DELETE FROM removed_files WHERE tenant = $1 AND recording = $2");
        self.run(gone.id(&file.tenant).id(file.recording)).await.map(drop)
    }
}

/// What the audit says of a removal: ids, and the chained hashes of sound that is no more.
#[derive(Default)]
struct Told {
    recordings: Vec<serde_json::Value>,
    transcripts: Vec<String>,
    personal: Vec<String>,
    people: Vec<String>,
}

impl Told {
    async fn write(
        self,
        conn: &mut Conn,
        tenant: &TenantId,
        who: &str,
        what: &str,
        at: Timestamp,
        removed: &Removed,
    ) -> Result<(), StoreError> {
        let nothing = Removed { more: removed.more, ..Removed::default() };
        if *removed == nothing {
            return Ok(());
        }
        let held: Vec<String> = removed.held.iter().map(ToString::to_string).collect();
        let detail = json!({
            "recordings": self.recordings, "transcripts": self.transcripts, "contacts": self.personal,
            "cases": removed.cases, "customers": self.people, "journal": removed.journal, "held": held,
        });
        let (who, what) = (who.to_owned(), what.to_owned());
        let entry = AuditEntry { at, who, what, target: tenant.to_string(), detail };
        audit::append(conn, &scope_of(Some(tenant)), &entry).await.map(drop)
    }
}

async fn due(
    conn: &mut Conn,
    tenant: &TenantId,
    what: Removal,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<ContactId>, StoreError> {
    let text = match what {
        Removal::Recordings => {
            "SELECT c.id FROM contacts c WHERE c.tenant = $1 AND c.recorded_at < $2 AND c.closed_at < $2
               AND c.state = 'closed'
               AND NOT EXISTS (SELECT 1 FROM recordings r
                    WHERE r.tenant = $1 AND r.contact = c.id AND r.state = 'recording')
               AND NOT EXISTS (SELECT 1 FROM legal_holds h
                    WHERE h.tenant = $1 AND h.contact = c.id AND h.lifted_at IS NULL)
             ORDER BY c.recorded_at LIMIT $3"
        }
        Removal::Transcript => {
            "SELECT c.id FROM contacts c WHERE c.tenant = $1 AND c.closed_at < $2 AND c.state = 'closed'
               AND c.transcript_removed_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM legal_holds h
                    WHERE h.tenant = $1 AND h.contact = c.id AND h.lifted_at IS NULL)
             ORDER BY c.closed_at LIMIT $3"
        }
        Removal::Personal => {
            "SELECT c.id FROM contacts c WHERE c.tenant = $1 AND c.closed_at < $2 AND c.state = 'closed'
               AND c.personal_removed_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM legal_holds h
                    WHERE h.tenant = $1 AND h.contact = c.id AND h.lifted_at IS NULL)
             ORDER BY c.closed_at LIMIT $3"
        }
    };
    let rows = sql(text).id(tenant).int(before.as_millis()).int(i64::from(limit)).all(conn).await?;
    rows.iter().map(|row| row.id("id", "contact")).collect()
}

async fn remove(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
    what: Removal,
    now: Timestamp,
    removed: &mut Removed,
    told: &mut Told,
) -> Result<(), StoreError> {
    match what {
        Removal::Recordings => {
            let gone = remove_recordings(conn, tenant, contact).await?;
            removed.recordings += gone.len() as u64;
            told.recordings.extend(gone);
        }
        Removal::Transcript => {
            if remove_transcript(conn, tenant, contact, now).await? {
                removed.transcripts += 1;
                told.transcripts.push(contact.to_string());
            }
        }
        Removal::Personal => match forget_customer(conn, tenant, contact, now).await {
            Ok(Some(cases)) => {
                removed.personal += 1;
                removed.cases += cases;
                told.personal.push(contact.to_string());
            }
            Ok(None) => {}
            // One record that cannot be read must not keep all the others.
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(%tenant, %contact, %error, "a contact's personal data could not be removed");
            }
            Err(error) => return Err(error),
        },
    }
    Ok(())
}

/// The rows of the contact's recordings go, their files are noted for removal.
async fn remove_recordings(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
) -> Result<Vec<serde_json::Value>, StoreError> {
    sql("INSERT INTO removed_files (tenant, recording, node, path)
         SELECT tenant, id, node, path FROM recordings WHERE tenant = $1 AND contact = $2
         ON CONFLICT (tenant, recording) DO NOTHING")
    .id(tenant)
    .id(contact)
    .run(&mut *conn)
    .await?;
    let rows = sql("DELETE FROM recordings WHERE tenant = $1 AND contact = $2 RETURNING id, chain, bytes")
        .id(tenant)
        .id(contact)
        .all(&mut *conn)
        .await?;
    sql("UPDATE contacts SET recorded_at = NULL WHERE tenant = $1 AND id = $2")
        .id(tenant)
        .id(contact)
        .run(&mut *conn)
        .await?;
    rows.iter()
        .map(|row| Ok(json!({ "id": row.text("id")?, "chain": row.text("chain")?, "bytes": row.int("bytes")? })))
        .collect()
}

/// The texts go, the numbers of the messages stay. Says whether there were any.
async fn remove_transcript(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let texts = sql("UPDATE chat_messages SET body = '' WHERE tenant = $1 AND contact = $2 AND body <> ''")
        .id(tenant)
        .id(contact)
        .run(&mut *conn)
        .await?;
    sql("UPDATE contacts SET transcript_removed_at = $3 WHERE tenant = $1 AND id = $2")
        .id(tenant)
        .id(contact)
        .int(now.as_millis())
        .run(&mut *conn)
        .await?;
    Ok(texts > 0)
}

/// Says how many cases went with it; None when there was nobody to forget.
async fn forget_customer(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
    now: Timestamp,
) -> Result<Option<u64>, StoreError> {
    let row = sql("SELECT id, doc_version, doc FROM contacts
         WHERE tenant = $1 AND id = $2 AND state = 'closed' AND personal_removed_at IS NULL")
    .id(tenant)
    .id(contact)
    .first(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut kept = contact_of(&row)?;
    kept.forget_customer();
    sql("UPDATE contacts SET doc = $3, number_key = '', number_last4 = '', customer_search = '',
            status_token_digest = NULL, personal_removed_at = $4 WHERE tenant = $1 AND id = $2")
    .id(tenant)
    .id(contact)
    .text(text_of("contact", contact, &kept)?)
    .int(now.as_millis())
    .run(&mut *conn)
    .await?;
    // The digest would tell that two contacts were of one person.
    for text in [
        "UPDATE attempts SET number_key = '' WHERE tenant = $1 AND contact = $2",
        "UPDATE recordings SET number_key = '', number_last4 = '' WHERE tenant = $1 AND contact = $2",
    ] {
        sql(text).id(tenant).id(contact).run(&mut *conn).await?;
    }
    let filed = sql("DELETE FROM cases WHERE tenant = $1 AND contact = $2").id(tenant).id(contact);
    Ok(Some(filed.run(conn).await?))
}

/// People who were neither seen nor changed since, with no case left, no contact that is younger or on hold: their ids.
async fn remove_people(
    conn: &mut Conn,
    tenant: &TenantId,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<String>, StoreError> {
    let due = sql("SELECT u.id FROM customers u
         WHERE u.tenant = $1 AND u.seen_at < $2 AND u.changed_at < $2
           AND NOT EXISTS (SELECT 1 FROM cases k WHERE k.tenant = $1 AND k.customer = u.id)
           AND NOT EXISTS (SELECT 1 FROM customer_numbers n
                JOIN contacts c ON c.tenant = $1 AND c.number_key = n.number_key
                WHERE n.tenant = $1 AND n.customer = u.id AND (c.state <> 'closed' OR c.closed_at >= $2
                    OR EXISTS (SELECT 1 FROM legal_holds h
                        WHERE h.tenant = $1 AND h.contact = c.id AND h.lifted_at IS NULL)))
           AND NOT EXISTS (SELECT 1 FROM customer_external_ids x
                JOIN legal_holds h ON h.tenant = $1 AND h.lifted_at IS NULL
                JOIN contacts c ON c.tenant = $1 AND c.id = h.contact
                WHERE x.tenant = $1 AND x.customer = u.id
                  AND c.doc LIKE '%\"customer_id\":\"' || x.external_id || '\"%')
         ORDER BY u.seen_at LIMIT $3")
    .id(tenant)
    .int(before.as_millis())
    .int(i64::from(limit))
    .all(&mut *conn)
    .await?;
    let people: Vec<String> = due.iter().map(|row| row.text("id")).collect::<Result<_, _>>()?;
    for id in &people {
        remove_person(conn, tenant, id).await?;
    }
    Ok(people)
}

/// The directory's entry with its numbers and ids. Says how many went: one or none.
pub(crate) async fn remove_person(conn: &mut Conn, tenant: &TenantId, id: &str) -> Result<u64, StoreError> {
    for text in [
        "DELETE FROM customer_numbers WHERE tenant = $1 AND customer = $2",
        "DELETE FROM customer_external_ids WHERE tenant = $1 AND customer = $2",
    ] {
        sql(text).id(tenant).text(id).run(&mut *conn).await?;
    }
    Ok(sql("DELETE FROM customers WHERE tenant = $1 AND id = $2").id(tenant).text(id).run(conn).await?)
}
