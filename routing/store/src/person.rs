//! One person in everything the ledger keeps: found by number or by a portal's id, and taken out of it.

use std::collections::BTreeSet;

use ringback_routing::{
    contact::Contact,
    ids::{ContactId, TenantId},
};

use crate::{
    CaseRecord, CustomerRecord, Store,
    connect::Connector,
    contact::contact_of,
    error::StoreError,
    retention::remove_person,
    sql::{Dialect, Row, sql},
};

/// Contacts of one person that are found at a time; who has more is erased in several goes.
const MOST_CONTACTS: i64 = 1000;
/// Journal entries read at a time.
const JOURNAL_STEP: u32 = 500;

/// By what a person is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonKeys {
    pub number_keys: BTreeSet<String>,
    pub external_ids: BTreeSet<String>,
}

/// What the ledger keeps of a person.
#[derive(Debug, Clone, Default)]
pub struct PersonFound {
    /// All that the person is known by, with what the directory adds.
    pub keys: PersonKeys,
    pub customers: Vec<CustomerRecord>,
    /// The oldest first.
    pub contacts: Vec<Contact>,
    pub cases: Vec<CaseRecord>,
    /// There are more contacts than are given back at a time.
    pub more: bool,
}

/// What was taken out besides contacts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasedTraces {
    /// Entries of the journal. An epoch that lacks some cannot be replayed any more.
    pub journal: u64,
    /// Numbers lent to visits, and answers kept for requests that are sent twice.
    pub leases: u64,
}

impl PersonFound {
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty() && self.contacts.is_empty() && self.cases.is_empty()
    }

    /// Whatever stands in a text that is about this person.
    fn marks(&self) -> Vec<String> {
        let mut marks = BTreeSet::new();
        marks.extend(self.keys.number_keys.iter().cloned());
        marks.extend(self.keys.external_ids.iter().map(|id| quoted(id)));
        for contact in &self.contacts {
            marks.insert(contact.id.to_string());
            marks.extend(contact.segments.iter().map(|segment| segment.id.to_string()));
            marks.extend(contact.attempts.iter().map(|attempt| attempt.leg.to_string()));
            marks.extend(contact.status_token_digest.as_deref().map(str::to_owned));
            marks.extend([contact.customer.number.clone(), contact.customer.number_key.clone()]);
            marks.insert(quoted(&contact.customer.name));
        }
        for customer in &self.customers {
            marks.extend(customer.numbers.iter().map(|known| known.number.clone()));
            marks.insert(quoted(&customer.name));
        }
        marks.into_iter().filter(|mark| !mark.is_empty() && mark != "\"\"").collect()
    }
}

/// As it stands in JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A LIKE pattern with `!` as its escape: this text anywhere.
fn holding(text: &str) -> String {
    let plain = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{plain}%")
}

impl Store {
    /// Everything of the person who is known by these keys, or by others that the directory has beside them.
    pub async fn find_person(&self, tenant: &TenantId, keys: PersonKeys) -> Result<PersonFound, StoreError> {
        let mut found = PersonFound { keys, ..PersonFound::default() };
        let known: Vec<(Option<String>, String)> = found
            .keys
            .external_ids
            .iter()
            .map(|id| (Some(id.clone()), String::new()))
            .chain(found.keys.number_keys.iter().map(|key| (None, key.clone())))
            .collect();
        for (external_id, number_key) in known {
            let customer = self.customer_of(tenant, external_id.as_deref(), &number_key).await?;
            let fresh = customer.filter(|customer| found.customers.iter().all(|other| other.id != customer.id));
            found.customers.extend(fresh);
        }
        for customer in &found.customers {
            found.keys.number_keys.extend(customer.numbers.iter().map(|known| known.number_key.clone()));
            found.keys.external_ids.extend(customer.external_ids.iter().cloned());
            found.cases.extend(self.cases_of(tenant, &customer.id, crate::MAX_PAGE).await?);
        }
        let mut contacts = Vec::new();
        for number_key in &found.keys.number_keys {
            contacts.extend(self.contacts_by(tenant, "number_key", number_key).await?);
        }
        for external_id in &found.keys.external_ids {
            let named = self.contacts_by(tenant, "customer_id", external_id).await?;
            contacts
                .extend(named.into_iter().filter(|contact| contact.customer.customer_id.as_ref() == Some(external_id)));
        }
        for case in &found.cases {
            contacts.extend(self.contact(tenant, case.contact).await?);
        }
        contacts.sort_by_key(|contact| contact.id);
        contacts.dedup_by_key(|contact| contact.id);
        for contact in &contacts {
            let case = self.case(tenant, contact.id).await?;
            let fresh = case.filter(|case| found.cases.iter().all(|other| other.contact != case.contact));
            found.cases.extend(fresh);
        }
        found.more = contacts.len() >= MOST_CONTACTS as usize;
        found.contacts = contacts;
        Ok(found)
    }

    async fn contacts_by(&self, tenant: &TenantId, what: &str, value: &str) -> Result<Vec<Contact>, StoreError> {
        let mut reader = self.reader().await?;
        let statement = match what {
            "number_key" => sql("SELECT id, doc_version, doc FROM contacts
                 WHERE tenant = $1 AND number_key = $2 ORDER BY id LIMIT $3")
            .id(tenant)
            .text(value),
            // The record holds it in no column of its own; what matches is looked at again.
            _ => sql("SELECT id, doc_version, doc FROM contacts
                 WHERE tenant = $1 AND doc LIKE $2 ESCAPE '!' ORDER BY id LIMIT $3")
            .id(tenant)
            .text(holding(&format!("\"customer_id\":{}", quoted(value)))),
        };
        let rows = statement.int(MOST_CONTACTS).all(&mut reader).await?;
        rows.iter().map(contact_of).collect()
    }

    /// Takes the person out of the journal and out of what was lent and answered. The first step of an erasure: whatever it
    /// is found by is still there afterwards, so that one that was interrupted can be done again.
    pub async fn erase_traces(&self, tenant: &TenantId, person: &PersonFound) -> Result<ErasedTraces, StoreError> {
        let marks = person.marks();
        let journal = self.erase_journal(tenant, &marks).await?;
        let numbers = person.contacts.iter().map(|contact| crate::turn::last_digits(&contact.customer.number));
        let ends: BTreeSet<String> = numbers.filter(|digits| digits.len() == 4).collect();
        let tenant = tenant.clone();
        let leases = self.write(move |conn| {
            Box::pin(async move {
                let mut gone = 0;
                let leases = sql("SELECT number, code, visit FROM number_leases WHERE tenant = $1").id(&tenant);
                for row in leases.all(&mut *conn).await? {
                    let visit = row.text("visit")?;
                    if marks.iter().any(|mark| visit.contains(mark)) {
                        gone += sql("DELETE FROM number_leases WHERE tenant = $1 AND number = $2 AND code = $3")
                            .id(&tenant)
                            .text(row.text("number")?)
                            .text(row.text("code")?)
                            .run(&mut *conn)
                            .await?;
                    }
                }
                // A kept answer shows the end of the number that is called.
                for digits in &ends {
                    gone += sql("DELETE FROM idempotency_keys WHERE tenant = $1 AND response LIKE $2")
                        .id(&tenant)
                        .text(format!("%{digits}%"))
                        .run(&mut *conn)
                        .await?;
                }
                Ok(gone)
            })
        });
        Ok(ErasedTraces { journal, leases: leases.await? })
    }

    /// The last step: cases and directory. Says how many cases went, and how many people.
    pub async fn erase_from_directory(
        &self,
        tenant: &TenantId,
        person: &PersonFound,
    ) -> Result<(u64, u64), StoreError> {
        let tenant = tenant.clone();
        let customers: Vec<String> = person.customers.iter().map(|customer| customer.id.clone()).collect();
        let contacts: Vec<ContactId> = person.contacts.iter().map(|contact| contact.id).collect();
        self.write(move |conn| {
            Box::pin(async move {
                let (mut cases, mut people) = (0, 0);
                for contact in contacts {
                    let gone = sql("DELETE FROM cases WHERE tenant = $1 AND contact = $2").id(&tenant).id(contact);
                    cases += gone.run(&mut *conn).await?;
                }
                for customer in customers {
                    let gone = sql("DELETE FROM cases WHERE tenant = $1 AND customer = $2").id(&tenant).text(&customer);
                    cases += gone.run(&mut *conn).await?;
                    people += remove_person(conn, &tenant, &customer).await?;
                }
                Ok((cases, people))
            })
        })
        .await
    }

    /// Reads the whole journal beside the writer and deletes what tells of the person, in small transactions.
    async fn erase_journal(&self, tenant: &TenantId, marks: &[String]) -> Result<u64, StoreError> {
        let (mut after, mut erased) = ((0, 0), 0);
        loop {
            let page = self.journal_page(tenant, after, JOURNAL_STEP).await?;
            let Some(last) = page.last() else { return Ok(erased) };
            after = (last.epoch, last.entry.seq);
            let about = page.iter().filter(|row| marks.iter().any(|mark| row.entry.body.contains(mark)));
            let rows: Vec<(i64, u64)> = about.map(|row| (row.epoch, row.entry.seq)).collect();
            if rows.is_empty() {
                continue;
            }
            let tenant = tenant.clone();
            erased += self
                .write(move |conn| {
                    Box::pin(async move {
                        let mut gone = 0;
                        for (epoch, seq) in rows {
                            gone += sql("DELETE FROM journal WHERE tenant = $1 AND epoch = $2 AND seq = $3")
                                .id(&tenant)
                                .int(epoch)
                                .int(i64::try_from(seq).unwrap_or(i64::MAX))
                                .run(&mut *conn)
                                .await?;
                        }
                        Ok(gone)
                    })
                })
                .await?;
        }
    }

    /// What was overwritten leaves the write-ahead log too. PostgreSQL does so by itself, when it vacuums.
    pub async fn settle(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            return Ok(());
        }
        // It waits for whoever reads, on a thread that may wait.
        let (connector, runtime) = (self.connector.clone(), tokio::runtime::Handle::current());
        let checked = tokio::task::spawn_blocking(move || runtime.block_on(checkpoint(&connector))).await;
        checked.unwrap_or(Err(StoreError::Closed))
    }
}

async fn checkpoint(connector: &Connector) -> Result<(), StoreError> {
    let mut conn = connector.writer().await?;
    let row = sql("PRAGMA wal_checkpoint(TRUNCATE)").first(&mut conn).await?;
    let busy = row.as_ref().map_or(Ok(0), |row: &Row| row.int("busy"))?;
    if let Err(error) = conn.close().await {
        tracing::warn!(%error, "closing the connection of a checkpoint");
    }
    if busy != 0 { Err(StoreError::Full) } else { Ok(()) }
}
