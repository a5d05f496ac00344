//! What the gate before dialling asks the ledger: how often a number was rung, what a tenant has used up, and who wants
//! no calls. Numbers are digests here; whatever is counted over all tenants is given back as a count and nothing else.

use ringback_routing::{
    contact::Customer,
    ids::{LegId, TenantId},
    time::Timestamp,
};

use crate::{
    Store,
    error::StoreError,
    page_size,
    settings::scope_of,
    sql::{Row, sql},
    turn::last_digits,
};

/// Whose word stands behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    Nobody,
    /// The portal knows the person.
    Person,
    /// The portal says that the number is this person's.
    Number,
}

impl Proof {
    pub fn of(customer: &Customer) -> Self {
        match (customer.verified, customer.number_proven) {
            (true, true) => Self::Number,
            (true, false) => Self::Person,
            (false, _) => Self::Nobody,
        }
    }

    pub(crate) fn column(self) -> i64 {
        match self {
            Self::Nobody => 0,
            Self::Person => 1,
            Self::Number => 2,
        }
    }
}

/// How often a number was rung at requests of people who did not prove that it is theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rings {
    /// By nobody's word.
    pub by_nobody: u64,
    /// By the word of persons the portal knows.
    pub by_persons: u64,
}

/// What a tenant's calls have used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub calls: u64,
    /// Begun minutes of answered calls, each call counted for itself.
    pub minutes: u64,
}

/// A number that is never called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoNotCall {
    pub number_key: String,
    pub number_last4: String,
    pub who: String,
    pub at: Timestamp,
}

impl Store {
    /// Rings since `since`, over all tenants; the attempt of `except` is not counted. A busy line and a call that failed
    /// before anything rang disturbed nobody and do not count.
    pub async fn rings(&self, number_key: &str, since: Timestamp, except: Option<LegId>) -> Result<Rings, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT proof, COUNT(*) AS rings FROM attempts
             WHERE number_key = $1 AND dialled_at > $2 AND leg <> $3 AND proof < 2
               AND NOT (rang_at IS NULL AND COALESCE(result, '') IN ('busy', 'failed', 'unreachable', 'not_allowed'))
             GROUP BY proof")
        .text(number_key)
        .int(since.as_millis())
        .text(except.map(|leg| leg.to_string()).unwrap_or_default())
        .all(&mut reader)
        .await?;
        let mut rings = Rings::default();
        for row in rows {
            let count = row.int("rings")?.unsigned_abs();
            match row.int("proof")? {
                0 => rings.by_nobody = count,
                _ => rings.by_persons = count,
            }
        }
        Ok(rings)
    }

    /// The tenant's calls dialled since `since`, and those to numbers that agents brought in; those that still stand count
    /// up to `now`.
    pub async fn usage(&self, tenant: &TenantId, since: Timestamp, now: Timestamp) -> Result<Usage, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT COUNT(*) AS calls,
                CAST(COALESCE(SUM(CASE WHEN answered_at IS NULL THEN 0
                    ELSE (COALESCE(ended_at, CAST($3 AS BIGINT)) - answered_at + 59999) / 60000 END), 0) AS BIGINT) AS minutes
             FROM (SELECT answered_at, ended_at FROM attempts
                   WHERE tenant = $1 AND dialled_at >= $2 AND COALESCE(result, '') <> 'not_allowed'
                   UNION ALL
                   SELECT answered_at, ended_at FROM outside_legs WHERE tenant = $1 AND dialled_at >= $2) AS legs")
        .id(tenant)
        .int(since.as_millis())
        .int(now.as_millis())
        .first(&mut reader)
        .await?
        .ok_or(StoreError::NotFound("usage"))?;
        Ok(Usage { calls: row.int("calls")?.unsigned_abs(), minutes: row.int("minutes")?.unsigned_abs() })
    }

    /// Puts a number on the tenant's list (None: on everybody's); a number that is there already stays as it is. False:
    /// it was there.
    pub async fn forbid_number(
        &self,
        tenant: Option<&TenantId>,
        number: &str,
        number_key: &str,
        who: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let statement = sql("INSERT INTO do_not_call (scope, number_key, number_last4, who, at)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (scope, number_key) DO NOTHING")
        .text(scope_of(tenant))
        .text(number_key)
        .text(last_digits(number))
        .text(who)
        .int(at.as_millis());
        let added = self.run(statement).await?;
        Ok(added == 1)
    }

    /// Takes it off again. False: it was not there.
    pub async fn allow_number(&self, tenant: Option<&TenantId>, number_key: &str) -> Result<bool, StoreError> {
        let statement =
            sql("DELETE FROM do_not_call WHERE scope = $1 AND number_key = $2").text(scope_of(tenant)).text(number_key);
        let gone = self.run(statement).await?;
        Ok(gone == 1)
    }

    /// Whether the number is on the tenant's list or on everybody's.
    pub async fn is_forbidden(&self, tenant: &TenantId, number_key: &str) -> Result<bool, StoreError> {
        let mut reader = self.reader().await?;
        let row = sql("SELECT number_last4 FROM do_not_call WHERE number_key = $1 AND scope IN ($2, $3) LIMIT 1")
            .text(number_key)
            .text(scope_of(Some(tenant)))
            .text(scope_of(None))
            .first(&mut reader)
            .await?;
        Ok(row.is_some())
    }

    /// The list, the latest first.
    pub async fn forbidden_numbers(&self, tenant: Option<&TenantId>, limit: u32) -> Result<Vec<DoNotCall>, StoreError> {
        let mut reader = self.reader().await?;
        let rows = sql("SELECT number_key, number_last4, who, at FROM do_not_call WHERE scope = $1
             ORDER BY at DESC, number_key LIMIT $2")
        .text(scope_of(tenant))
        .int(page_size(limit))
        .all(&mut reader)
        .await?;
        rows.iter().map(entry_of).collect()
    }
}

fn entry_of(row: &Row) -> Result<DoNotCall, StoreError> {
    Ok(DoNotCall {
        number_key: row.text("number_key")?,
        number_last4: row.text("number_last4")?,
        who: row.text("who")?,
        at: Timestamp::from_millis(row.int("at")?),
    })
}
