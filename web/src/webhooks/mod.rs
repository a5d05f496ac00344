//! Others are told what happens, signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature`, HMAC-SHA256 over all of it. Told are ids; names and numbers only to whom the administrator says so.
//!
//! The ledger holds the messages; this is the one task that sends what is due, so many at a time, with growing gaps
//! between tries. What no try brought over is dead until somebody has it sent again.

pub mod address;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use ringback_engine::parts::IpNet;
use ringback_routing::{contact::Channel, time::Millis};
use ringback_store::{Delivery, DeliveryEnd, DeliveryState, Webhook};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::{
    config::{ConfigFile, file::AddressRange},
    fetch::Fetcher,
    seal::Seal,
    state::App,
    token,
};

/// What can be asked for.
pub const EVENTS: [&str; 5] =
    ["contact.created", "contact.closed", "recording.ready", "closure.declared", "closure.lifted"];
/// What signing secrets begin with.
const SECRET_MARK: &str = "whsec_";
/// How often the ledger is asked for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Messages taken at a time, and under way at one time: a receiver that hangs holds up no other for long.
const BATCH: u32 = 100;
const AT_ONCE: usize = 16;
/// Longest time a receiver has to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Messages that wait no more are kept so long for looking at them, in days.
const KEPT_DAYS: i64 = 30;
/// Messages forgotten in one go, and how often one goes: it is a write, and mostly there is nothing.
const FORGET: u32 = 500;
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Longest word about a failure that is kept, in letters.
const MAX_WORD: usize = 200;

/// A fresh signing secret, as receivers' libraries read it.
pub fn new_secret() -> Result<String, token::NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| token::NoRandomness)?;
    Ok(format!("{SECRET_MARK}{}", STANDARD.encode(bytes)))
}

/// Ranges that the operator lets messages go to although they are not public.
pub fn named(file: &ConfigFile) -> Vec<IpNet> {
    let ranges = &file.server.webhooks_may_reach;
    // The configuration's own check has read them.
    ranges.iter().map(AddressRange::as_str).filter_map(|range| range.parse().ok()).collect()
}

/// `v1,` and the signature of a message.
fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET_MARK)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Sends what is due until the server goes down; what is under way then is tried again after the next start.
pub async fn keep_sending(app: App) {
    let fetcher = match Fetcher::new(app.config.file.server.webhooks_ca_file.as_deref()) {
        Ok(fetcher) => fetcher,
        Err(error) => return tracing::error!(%error, "webhooks are not sent"),
    };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut every = tokio::time::interval(LOOK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut draining = app.draining.subscribe();
    let mut forgotten: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
        let due = match app.store.due_deliveries(app.now(), BATCH).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "messages of webhooks cannot be looked up");
                continue;
            }
        };
        if due.is_empty() && forgotten.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
            let more = forget(&app).await;
            forgotten = (!more).then(Instant::now);
        }
        let mut sending = tokio::task::JoinSet::new();
        for (delivery, webhook) in due {
            let (app, fetcher, places) = (app.clone(), fetcher.clone(), places.clone());
            sending.spawn(async move {
                let Ok(_place) = places.acquire().await else { return };
                send(&app, &fetcher, delivery, webhook).await;
            });
        }
        // The next look must not find the same messages again.
        while sending.join_next().await.is_some() {}
    }
}

/// True when there is more to forget.
async fn forget(app: &App) -> bool {
    let before = app.now() - Millis::from_secs(KEPT_DAYS * 86_400);
    match app.store.purge_deliveries(before, FORGET).await {
        Ok(gone) => gone >= u64::from(FORGET),
        Err(error) => {
            tracing::warn!(%error, "old messages of webhooks could not be forgotten");
            false
        }
    }
}

async fn send(app: &App, fetcher: &Fetcher, delivery: Delivery, webhook: Webhook) {
    let tried = attempt(app, fetcher, &delivery, &webhook).await;
    let now = app.now();
    let gaps = &app.limits().webhook_retry_seconds;
    let outcome = match tried {
        Ok(()) => DeliveryEnd { state: DeliveryState::Sent, next_at: now, word: String::new() },
        Err(word) => {
            let word = word.chars().take(MAX_WORD).collect();
            match gaps.get(delivery.tries as usize) {
                Some(gap) => {
                    let next_at = now + Millis::from_secs(i64::from(*gap));
                    DeliveryEnd { state: DeliveryState::Waiting, next_at, word }
                }
                None => {
                    tracing::warn!(tenant = %delivery.tenant, webhook = webhook.id, "a message was given up after its last try");
                    DeliveryEnd { state: DeliveryState::Dead, next_at: now, word }
                }
            }
        }
    };
    if let Err(error) = app.store.settle_delivery(&delivery, outcome).await {
        // Not written down, it is sent again: receivers tell by the id.
        tracing::warn!(%error, "how a message of a webhook ended could not be kept");
    }
}

/// One try; in words what went wrong.
async fn attempt(app: &App, fetcher: &Fetcher, delivery: &Delivery, webhook: &Webhook) -> Result<(), String> {
    let target = address::target(&webhook.url, &named(&app.config.file)).await.map_err(|error| error.to_string())?;
    let seal = Seal::of(&app.config).map_err(|error| error.to_string())?;
    let secret = seal.open(&webhook.id, &webhook.secret).map_err(|error| error.to_string())?;
    let body = message(app, delivery, webhook).await?.to_string();
    // The same for all tries, and no other tenant has it.
    let id = format!("msg_{}", &token::digest(&format!("{}\0{}", delivery.tenant, delivery.message))[..32]);
    let timestamp = app.now().as_millis() / 1000;
    let signed = signature(&secret, &id, timestamp, &body).ok_or("the secret cannot be used")?;
    let headers =
        [("webhook-id", id.as_str()), ("webhook-timestamp", &timestamp.to_string()), ("webhook-signature", &signed)];
    let status =
        fetcher.tell(&webhook.url, &target, &headers, body, PATIENCE).await.map_err(|error| error.to_string())?;
    if (200..300).contains(&status) { Ok(()) } else { Err(format!("answered {status}")) }
}

/// What is told, as the ledger has it now.
async fn message(app: &App, delivery: &Delivery, webhook: &Webhook) -> Result<Value, String> {
    let mut data = json!({ "tenant": delivery.tenant.to_string() });
    if let Some(told) = delivery.detail.as_object() {
        told.iter().for_each(|(name, value)| data[name] = value.clone());
    }
    if let Some(id) = delivery.contact {
        let found = app.store.contact(&delivery.tenant, id).await.map_err(|error| error.to_string())?;
        data["contact"] = json!(id.to_string());
        if let Some(contact) = found {
            data["channel"] = json!(match contact.channel {
                Channel::Callback => "callback",
                Channel::Call => "call",
                Channel::Outbound => "outbound",
                Channel::Chat => "chat",
            });
            data["queue"] = json!(contact.queue.to_string());
            data["subject"] = json!(contact.subject.to_string());
            if webhook.personal {
                data["customer"] = json!({ "name": contact.customer.name, "number": contact.customer.number });
            }
        }
    }
    let at = chrono::DateTime::from_timestamp_millis(delivery.at.as_millis()).unwrap_or_default();
    let timestamp = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    Ok(json!({ "type": delivery.event, "timestamp": timestamp, "data": data }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's own test suites.
    #[test]
    fn a_message_is_signed_as_others_expect_it() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(secret, id, at, body).as_deref(), Some(expected));
        assert_eq!(signature("plain", id, at, body), None);
        let fresh = new_secret().unwrap();
        assert_eq!(STANDARD.decode(&fresh[SECRET_MARK.len()..]).unwrap().len(), 32);
    }
}
