//! One turn of one core: its journal and its changes, committed together or not at all.

use std::{collections::BTreeMap, sync::Arc};

use ringback_routing::{
    agent::{AgentRecord, AgentState, Presence},
    contact::{Attempt, AttemptResult, AttemptState, Channel, Contact, ContactState, Outcome},
    ids::{AgentId, AttemptId, ContactId, ReasonCode, TenantId},
    output::{Change, Fact},
    time::Timestamp,
};
use serde::Serialize;

use crate::{
    Store,
    error::{NumberInDialog, StoreError, violates},
    gate::Proof,
    journal::{self, JournalEntry},
    lease,
    sql::{Conn, sql},
    webhook,
};

/// The layout of the JSON in `doc`; counted up when an older reader would misread it.
pub(crate) const DOC_VERSION: i64 = 1;

/// Everything one turn decided.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnWrite {
    pub tenant: TenantId,
    /// From [`Store::acquire_lease`].
    pub epoch: i64,
    pub journal: Vec<JournalEntry>,
    pub changes: Vec<Change>,
}

impl Store {
    /// Commits the turn; Ok means it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another owner took the tenant over, [`StoreError::Conflict`] when a number would be in
    /// two dialogs, [`StoreError::Full`] and [`StoreError::DiskFull`] when nothing can be taken now. Nothing of the turn
    /// is kept then. After [`StoreError::Io`] only the rows tell whether it was kept.
    pub async fn commit(&self, turn: impl Into<Arc<TurnWrite>>) -> Result<(), StoreError> {
        let turn = turn.into();
        self.write_again(move |conn| {
            let turn = Arc::clone(&turn);
            Box::pin(async move { write_turn(conn, &turn).await })
        })
        .await
    }

    /// What a core restores from: the tenant's open contacts and its agents, by id.
    pub async fn load_open(&self, tenant: &TenantId) -> Result<(Vec<Contact>, Vec<AgentRecord>), StoreError> {
        let mut reader = self.reader().await?;
        let contacts =
            sql("SELECT id, doc_version, doc FROM contacts WHERE tenant = $1 AND state <> 'closed' ORDER BY id")
                .id(tenant)
                .all(&mut reader)
                .await?
                .iter()
                .map(crate::contact::contact_of)
                .collect::<Result<_, _>>()?;
        let agents = sql("SELECT id, doc_version, doc FROM agents WHERE tenant = $1 ORDER BY id")
            .id(tenant)
            .all(&mut reader)
            .await?
            .iter()
            .map(|row| {
                let id = row.text("id")?;
                if row.int("doc_version")? != DOC_VERSION {
                    return Err(StoreError::corrupt("agent", id));
                }
                serde_json::from_str(&row.text("doc")?).map_err(|_| StoreError::corrupt("agent", id))
            })
            .collect::<Result<_, _>>()?;
        Ok((contacts, agents))
    }
}

async fn write_turn(conn: &mut Conn, turn: &TurnWrite) -> Result<(), StoreError> {
    lease::fence(conn, &turn.tenant, turn.epoch).await?;
    for entry in &turn.journal {
        journal::append(conn, &turn.tenant, turn.epoch, entry).await?;
    }
    let mut records = Records::of(&turn.changes);
    for change in &turn.changes {
        write_change(conn, &turn.tenant, change, &mut records).await?;
    }
    let attempts = attempts_of(&turn.changes);
    // A number that one contact of this turn lets go may be dialled for another: what ended is written first.
    for over in [true, false] {
        for saved in attempts.values().filter(|saved| is_over(saved.last) == over) {
            save_attempt(conn, &turn.tenant, saved).await?;
        }
    }
    Ok(())
}

/// Contacts and agents as they are at the turn's end, until each is written: a turn may save the same one several times, and
/// nobody can ever read what it was in between.
struct Records<'a> {
    contacts: BTreeMap<ContactId, &'a Contact>,
    agents: BTreeMap<&'a AgentId, &'a AgentRecord>,
    /// The ordinals of the facts written last.
    facts: BTreeMap<ContactId, i64>,
}

impl<'a> Records<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut records = Records { contacts: BTreeMap::new(), agents: BTreeMap::new(), facts: BTreeMap::new() };
        for change in changes {
            match change {
                Change::ContactSaved { contact } => drop(records.contacts.insert(contact.id, contact)),
                Change::AgentSaved { agent } => drop(records.agents.insert(&agent.id, agent)),
                Change::ContactFact { .. } | Change::PresenceChanged { .. } => {}
            }
        }
        records
    }
}

/// An attempt of a turn, which may save its contact several times.
struct SavedAttempt<'a> {
    /// As it was when the attempt first came up: whose number is dialled.
    first: &'a Contact,
    /// How the attempt stands at the turn's end. What it was before must not be written after it.
    last: &'a Attempt,
}

fn attempts_of(changes: &[Change]) -> BTreeMap<AttemptId, SavedAttempt<'_>> {
    let mut attempts: BTreeMap<AttemptId, SavedAttempt<'_>> = BTreeMap::new();
    for change in changes {
        let Change::ContactSaved { contact } = change else { continue };
        for attempt in &contact.attempts {
            let saved = attempts.entry(attempt.id).or_insert(SavedAttempt { first: contact, last: attempt });
            saved.last = attempt;
        }
    }
    attempts
}

async fn write_change(
    conn: &mut Conn,
    tenant: &TenantId,
    change: &Change,
    records: &mut Records<'_>,
) -> Result<(), StoreError> {
    match change {
        // Where it is first saved, so that the row is there for the facts that follow.
        Change::ContactSaved { contact } => match records.contacts.remove(&contact.id) {
            Some(contact) => save_contact(conn, tenant, contact).await,
            None => Ok(()),
        },
        Change::AgentSaved { agent } => match records.agents.remove(&agent.id) {
            Some(agent) => save_agent(conn, tenant, agent).await,
            None => Ok(()),
        },
        Change::ContactFact { contact, at, fact } => {
            let ordinal = match records.facts.get(contact) {
                Some(last) => last + 1,
                None => facts_of(conn, tenant, *contact).await? + 1,
            };
            records.facts.insert(*contact, ordinal);
            append_fact(conn, tenant, *contact, (ordinal, *at, fact)).await
        }
        Change::PresenceChanged { agent, at, presence, reason } => {
            append_presence(conn, tenant, agent, *at, *presence, reason.as_ref()).await
        }
    }
}

async fn save_contact(conn: &mut Conn, tenant: &TenantId, contact: &Contact) -> Result<(), StoreError> {
    let (state, outcome) = match &contact.state {
        ContactState::Arriving { .. } => ("arriving", None),
        ContactState::Scheduled { .. } => ("scheduled", None),
        ContactState::Queued { .. } => ("queued", None),
        ContactState::Active { .. } => ("active", None),
        ContactState::Closed { outcome } => ("closed", Some(outcome_word(*outcome))),
    };
    let doc = json("contact", contact.id, contact)?;
    // Whose contact it is and where it waits change seldom, and writing them would write their indexes too.
    let known =
        sql("UPDATE contacts SET state = $3, outcome = $4, priority = $5, closed_at = $6, doc_version = $7, doc = $8
         WHERE tenant = $1 AND id = $2 AND queue = $9 AND subject = $10 AND number_key = $11 AND number_last4 = $12
           AND customer_search = $13 AND COALESCE(status_token_digest, '') = $14")
        .id(tenant)
        .id(contact.id)
        .text(state)
        .opt_text(outcome)
        .int(i64::from(contact.priority))
        .opt_int(contact.closed_at.map(Timestamp::as_millis))
        .int(DOC_VERSION)
        .text(&doc)
        .id(&contact.queue)
        .id(&contact.subject)
        .text(&contact.customer.number_key)
        .text(last_digits(&contact.customer.number))
        .text(contact.customer.name.to_lowercase())
        .text(contact.status_token_digest.as_deref().unwrap_or_default())
        .run(&mut *conn)
        .await?;
    if known > 0 {
        return Ok(());
    }
    sql(
        "INSERT INTO contacts (tenant, id, channel, state, outcome, queue, subject, priority, requested_at, closed_at,
            number_key, number_last4, customer_search, status_token_digest, doc_version, doc)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (tenant, id) DO UPDATE SET
            state = excluded.state, outcome = excluded.outcome, queue = excluded.queue, subject = excluded.subject,
            priority = excluded.priority, closed_at = excluded.closed_at, number_key = excluded.number_key,
            number_last4 = excluded.number_last4, customer_search = excluded.customer_search,
            status_token_digest = excluded.status_token_digest, doc_version = excluded.doc_version, doc = excluded.doc",
    )
    .id(tenant)
    .id(contact.id)
    .text(channel_word(contact.channel))
    .text(state)
    .opt_text(outcome)
    .id(&contact.queue)
    .id(&contact.subject)
    .int(i64::from(contact.priority))
    .int(contact.requested_at.as_millis())
    .opt_int(contact.closed_at.map(Timestamp::as_millis))
    .text(&contact.customer.number_key)
    .text(last_digits(&contact.customer.number))
    .text(contact.customer.name.to_lowercase())
    .opt_text(contact.status_token_digest.as_deref())
    .int(DOC_VERSION)
    .text(doc)
    .run(conn)
    .await?;
    Ok(())
}

/// The number of a row is the one that was dialled; a later change of the customer's number leaves it. A customer's own call
/// dials none of ours and has none.
async fn save_attempt(
    conn: &mut Conn,
    tenant: &TenantId,
    &SavedAttempt { first: contact, last: attempt }: &SavedAttempt<'_>,
) -> Result<(), StoreError> {
    let (state, result) = match &attempt.state {
        AttemptState::Dialling => ("dialling", None),
        AttemptState::Unknown { .. } => ("unknown", None),
        AttemptState::Live => ("live", None),
        AttemptState::Ended { result } => ("ended", Some(result_word(*result))),
    };
    let written =
        sql("INSERT INTO attempts (tenant, contact, ordinal, id, leg, trunk, segment, number_key, state, result,
            dialled_at, answered_at, ended_at, rang_at, proof)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (tenant, contact, ordinal) DO UPDATE SET
            leg = excluded.leg, trunk = excluded.trunk, segment = excluded.segment, state = excluded.state,
            result = excluded.result, answered_at = excluded.answered_at, ended_at = excluded.ended_at,
            rang_at = excluded.rang_at
         WHERE attempts.id = excluded.id")
        .id(tenant)
        .id(contact.id)
        .int(i64::from(attempt.ordinal))
        .id(attempt.id)
        .id(attempt.leg)
        .id(&attempt.trunk)
        .text(attempt.segment.map(|segment| segment.to_string()).unwrap_or_default())
        .text(if attempt.is_inbound() { "" } else { &contact.customer.number_key })
        .text(state)
        .opt_text(result)
        .int(attempt.dialled_at.as_millis())
        .opt_int(attempt.answered_at.map(Timestamp::as_millis))
        .opt_int(attempt.ended_at.map(Timestamp::as_millis))
        .opt_int(attempt.ringing_at.or(attempt.answered_at).map(Timestamp::as_millis))
        .int(Proof::of(&contact.customer).column())
        .run(conn)
        .await;
    match written {
        Ok(0) => Err(StoreError::Taken("attempt")),
        Ok(_) => Ok(()),
        Err(error) if violates(&error, "attempts_one_dialog_per_number", "attempts.number_key") => {
            Err(StoreError::Conflict(NumberInDialog { number_key: contact.customer.number_key.clone() }))
        }
        Err(error) => Err(error.into()),
    }
}

async fn save_agent(conn: &mut Conn, tenant: &TenantId, agent: &AgentRecord) -> Result<(), StoreError> {
    let state = match agent.state {
        AgentState::Offline => "offline",
        AgentState::NotReady { .. } => "not_ready",
        AgentState::Ready => "ready",
    };
    sql("INSERT INTO agents (tenant, id, state, since, doc_version, doc) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant, id) DO UPDATE SET
            state = excluded.state, since = excluded.since, doc_version = excluded.doc_version, doc = excluded.doc")
    .id(tenant)
    .id(&agent.id)
    .text(state)
    .int(agent.since.as_millis())
    .int(DOC_VERSION)
    .text(json("agent", &agent.id, agent)?)
    .run(conn)
    .await?;
    Ok(())
}

/// The ordinal of the contact's last fact, 0 without any.
async fn facts_of(conn: &mut Conn, tenant: &TenantId, contact: ContactId) -> Result<i64, StoreError> {
    let last = sql("SELECT COALESCE(MAX(ordinal), 0) AS last FROM contact_events WHERE tenant = $1 AND contact = $2")
        .id(tenant)
        .id(contact)
        .first(conn)
        .await?;
    last.map_or(Ok(0), |row| row.int("last"))
}

async fn append_fact(
    conn: &mut Conn,
    tenant: &TenantId,
    contact: ContactId,
    (ordinal, at, fact): (i64, Timestamp, &Fact),
) -> Result<(), StoreError> {
    let doc = json("fact of contact", contact, fact)?;
    sql("INSERT INTO contact_events (tenant, contact, ordinal, at, kind, fact) VALUES ($1, $2, $3, $4, $5, $6)")
        .id(tenant)
        .id(contact)
        .int(ordinal)
        .int(at.as_millis())
        .text(kind_of(&doc))
        .text(&doc)
        .run(&mut *conn)
        .await?;
    webhook::tell_fact(conn, tenant, contact, at, fact).await
}

async fn append_presence(
    conn: &mut Conn,
    tenant: &TenantId,
    agent: &AgentId,
    at: Timestamp,
    presence: Presence,
    reason: Option<&ReasonCode>,
) -> Result<(), StoreError> {
    sql(
        "INSERT INTO presence_changes (tenant, agent, ordinal, at, presence, reason) VALUES ($1, $2,
            (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM presence_changes WHERE tenant = $1 AND agent = $2), $3, $4, $5)",
    )
    .id(tenant)
    .id(agent)
    .int(at.as_millis())
    .text(crate::presence::word(presence))
    .opt_text(reason.map(ReasonCode::as_str))
    .run(conn)
    .await?;
    Ok(())
}

/// A fact's JSON begins with what it is.
fn kind_of(doc: &str) -> &str {
    doc.strip_prefix(r#"{"fact":""#).and_then(|rest| rest.split_once('"')).map_or("", |(kind, _)| kind)
}

fn is_over(attempt: &Attempt) -> bool {
    matches!(attempt.state, AttemptState::Ended { .. })
}

/// The last four digits: enough to tell numbers apart on a screen, too few to dial.
pub(crate) fn last_digits(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    digits[digits.len().saturating_sub(4)..].iter().collect()
}

pub(crate) fn json(
    kind: &'static str,
    id: impl std::fmt::Display,
    value: &impl Serialize,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::corrupt(kind, id))
}

pub(crate) fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::Callback => "callback",
        Channel::Call => "call",
        Channel::Outbound => "outbound",
        Channel::Chat => "chat",
    }
}

pub(crate) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Successful => "successful",
        Outcome::Unsuccessful => "unsuccessful",
        Outcome::Cancelled => "cancelled",
        Outcome::Abandoned => "abandoned",
    }
}

fn result_word(result: AttemptResult) -> &'static str {
    match result {
        AttemptResult::Connected => "connected",
        AttemptResult::NotConfirmed => "not_confirmed",
        AttemptResult::Busy => "busy",
        AttemptResult::NoAnswer => "no_answer",
        AttemptResult::Rejected => "rejected",
        AttemptResult::Unreachable => "unreachable",
        AttemptResult::Failed => "failed",
        AttemptResult::Cancelled => "cancelled",
        AttemptResult::Interrupted => "interrupted",
        AttemptResult::NotAllowed => "not_allowed",
    }
}
