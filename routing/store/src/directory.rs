//! Who a tenant knows: people, found by a number of theirs, by the id a portal knows them by, or by name. Every channel
//! matches its contacts against it.

use ringback_routing::{ids::TenantId, time::Timestamp};

use crate::{
    Store,
    contact::like_anywhere,
    error::StoreError,
    page_size,
    sql::{Conn, Reader, Row, sql},
};

/// A number of a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNumber {
    /// E.164.
    pub number: String,
    /// Keyed digest of it.
    pub number_key: String,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerRecord {
    pub id: String,
    pub name: String,
    pub numbers: Vec<KnownNumber>,
    /// What portals call this person.
    pub external_ids: Vec<String>,
    pub notes: String,
    /// 1, 2, 3 …; 0 of one that was never saved.
    pub version: i64,
    pub created_at: Timestamp,
    pub changed_by: String,
    pub changed_at: Timestamp,
}

/// What to look for. What is given must all hold; an empty search is everybody.
#[derive(Debug, Clone, Default)]
pub struct CustomerSearch {
    /// Part of the name in any case, or the whole of an external id.
    pub text: Option<String>,
    pub number_key: Option<String>,
    /// What a number ends with.
    pub last_digits: Option<String>,
    pub limit: u32,
}

impl Store {
    /// Keeps a person, as new when `version` is 0, else in place of that version. Gives the version it has now.
    ///
    /// # Errors
    /// [`StoreError::Taken`] with `customer` when it was changed meanwhile, with `number` or `external id` when somebody
    /// else has it.
    pub async fn save_customer(&self, tenant: &TenantId, record: &CustomerRecord) -> Result<i64, StoreError> {
        let (tenant, record) = (tenant.clone(), record.clone());
        self.write(move |conn| {
            Box::pin(async move {
                let version = save_row(conn, &tenant, &record).await?;
                save_keys(conn, &tenant, &record).await?;
                Ok(version)
            })
        })
        .await
    }

    pub async fn customer(&self, tenant: &TenantId, id: &str) -> Result<Option<CustomerRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT id, name, notes, version, created_at, changed_by, changed_at FROM customers
             WHERE tenant = $1 AND id = $2")
        .id(tenant)
        .text(id)
        .first(&mut reader)
        .await?;
        match row {
            Some(row) => Ok(Some(whole(&mut reader, tenant, &row).await?)),
            None => Ok(None),
        }
    }

    /// Whom a contact belongs to: by the portal's id first, which names one person; then by the number.
    pub async fn customer_of(
        &self,
        tenant: &TenantId,
        external_id: Option<&str>,
        number_key: &str,
    ) -> Result<Option<CustomerRecord>, StoreError> {
        let mut reader = self.reader().await?;
        let mut found = None;
        if let Some(external_id) = external_id {
            found = sql("SELECT customer FROM customer_external_ids WHERE tenant = $1 AND external_id = $2")
                .id(tenant)
                .text(external_id)
                .first(&mut reader)
                .await?;
        }
        if found.is_none() && !number_key.is_empty() {
            found = sql("SELECT customer FROM customer_numbers WHERE tenant = $1 AND number_key = $2")
                .id(tenant)
                .text(number_key)
                .first(&mut reader)
                .await?;
        }
        drop(reader);
        match found {
            Some(row) => self.customer(tenant, &row.text("customer")?).await,
            None => Ok(None),
        }
    }

    /// Notes that the person was met at `now`, unless that stands there for after `since` already.
    pub async fn customer_seen(
        &self,
        tenant: &TenantId,
        id: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT seen_at FROM customers WHERE tenant = $1 AND id = $2")
            .id(tenant)
            .text(id)
            .first(&mut reader)
            .await?;
        drop(reader);
        match row {
            Some(row) if row.int("seen_at")? < since.as_millis() => {}
            _ => return Ok(()),
        }
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.write(move |conn| {
            Box::pin(async move {
                let seen = sql("UPDATE customers SET seen_at = $3 WHERE tenant = $1 AND id = $2 AND seen_at < $3");
                seen.id(&tenant).text(&id).int(now.as_millis()).run(conn).await?;
                Ok(())
            })
        })
        .await
    }

    /// The people who match, by name.
    pub async fn search_customers(
        &self,
        tenant: &TenantId,
        search: &CustomerSearch,
    ) -> Result<Vec<CustomerRecord>, StoreError> {
        let text = search.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let ends = search.last_digits.as_deref().unwrap_or_default();
        let mut reader = self.reader().await?;
        let rows = sql("SELECT id, name, notes, version, created_at, changed_by, changed_at FROM customers
             WHERE tenant = $1
               AND (name_search LIKE $2 ESCAPE '!' OR id IN
                    (SELECT customer FROM customer_external_ids WHERE tenant = $1 AND external_id = $3))
               AND ($4 = '' OR id IN (SELECT customer FROM customer_numbers WHERE tenant = $1 AND number_key = $4))
               AND ($5 = '%' OR id IN (SELECT customer FROM customer_numbers WHERE tenant = $1 AND number LIKE $5))
             ORDER BY name_search, id LIMIT $6")
        .id(tenant)
        .text(like_anywhere(text))
        .text(text.unwrap_or_default())
        .text(search.number_key.as_deref().unwrap_or_default())
        .text(format!("%{}", ends.chars().filter(char::is_ascii_digit).collect::<String>()))
        .int(page_size(search.limit))
        .all(&mut reader)
        .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(whole(&mut reader, tenant, row).await?);
        }
        Ok(found)
    }
}

async fn save_row(conn: &mut Conn, tenant: &TenantId, record: &CustomerRecord) -> Result<i64, StoreError> {
    let written = if record.version == 0 {
        sql("INSERT INTO customers (tenant, id, name, name_search, notes, version, created_at, changed_by, changed_at)
             VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8) ON CONFLICT (tenant, id) DO NOTHING RETURNING version")
        .id(tenant)
        .text(&record.id)
        .text(&record.name)
        .text(record.name.to_lowercase())
        .text(&record.notes)
        .int(record.created_at.as_millis())
        .text(&record.changed_by)
        .int(record.changed_at.as_millis())
        .first(conn)
        .await?
    } else {
        sql("UPDATE customers SET name = $3, name_search = $4, notes = $5, version = version + 1, changed_by = $6,
                changed_at = $7
             WHERE tenant = $1 AND id = $2 AND version = $8 RETURNING version")
        .id(tenant)
        .text(&record.id)
        .text(&record.name)
        .text(record.name.to_lowercase())
        .text(&record.notes)
        .text(&record.changed_by)
        .int(record.changed_at.as_millis())
        .int(record.version)
        .first(conn)
        .await?
    };
    written.ok_or(StoreError::Taken("customer"))?.int("version")
}

/// The numbers and ids in place of those before.
async fn save_keys(conn: &mut Conn, tenant: &TenantId, record: &CustomerRecord) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM customer_numbers WHERE tenant = $1 AND customer = $2",
        "DELETE FROM customer_external_ids WHERE tenant = $1 AND customer = $2",
    ] {
        sql(statement).id(tenant).text(&record.id).run(&mut *conn).await?;
    }
    for (ordinal, number) in (0..).zip(&record.numbers) {
        let added = sql("INSERT INTO customer_numbers (tenant, number_key, number, customer, ordinal)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, number_key) DO NOTHING")
        .id(tenant)
        .text(&number.number_key)
        .text(&number.number)
        .text(&record.id)
        .int(ordinal)
        .run(&mut *conn)
        .await?;
        if added == 0 {
            return Err(StoreError::Taken("number"));
        }
    }
    for (ordinal, external_id) in (0..).zip(&record.external_ids) {
        let added = sql("INSERT INTO customer_external_ids (tenant, external_id, customer, ordinal)
             VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, external_id) DO NOTHING")
        .id(tenant)
        .text(external_id)
        .text(&record.id)
        .int(ordinal)
        .run(&mut *conn)
        .await?;
        if added == 0 {
            return Err(StoreError::Taken("external id"));
        }
    }
    Ok(())
}

async fn whole(reader: &mut Reader, tenant: &TenantId, row: &Row) -> Result<CustomerRecord, StoreError> {
    let id = row.text("id")?;
    let numbers = sql("SELECT number, number_key FROM customer_numbers WHERE tenant = $1 AND customer = $2
         ORDER BY ordinal, number_key")
    .id(tenant)
    .text(&id)
    .all(&mut *reader)
    .await?;
    let external_ids = sql("SELECT external_id FROM customer_external_ids WHERE tenant = $1 AND customer = $2
         ORDER BY ordinal, external_id")
    .id(tenant)
    .text(&id)
    .all(&mut *reader)
    .await?;
    let number = |row: &Row| Ok(KnownNumber { number: row.text("number")?, number_key: row.text("number_key")? });
    Ok(CustomerRecord {
        numbers: numbers.iter().map(number).collect::<Result<_, StoreError>>()?,
        external_ids: external_ids.iter().map(|row| row.text("external_id")).collect::<Result<_, _>>()?,
        name: row.text("name")?,
        notes: row.text("notes")?,
        version: row.int("version")?,
        created_at: Timestamp::from_millis(row.int("created_at")?),
        changed_by: row.text("changed_by")?,
        changed_at: Timestamp::from_millis(row.int("changed_at")?),
        id,
    })
}
