//! What was acknowledged, what arrived, and what the server reads back in the end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;

use super::round;
use crate::load::{Failure, http};

#[derive(Default)]
pub(crate) struct Tally(Mutex<Books>);

#[derive(Default)]
struct Books {
    /// Customers' messages, by the chat's link: (link, id).
    customers: HashSet<(String, String)>,
    /// Agents' messages; their ids are unique over all chats.
    agents: HashSet<String>,
    acks: Vec<Duration>,
    /// Times a message arrived at one end: (place, end, id) and the numbers it came with.
    arrived: HashMap<(String, &'static str, String), Vec<u64>>,
    links: HashSet<String>,
}

/// The end's sum.
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    acks: Vec<Duration>,
}

impl Tally {
    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn acknowledged(&self, link: &str, id: &str, took: Duration) {
        let mut books = self.books();
        books.customers.insert((link.to_owned(), id.to_owned()));
        books.links.insert(link.to_owned());
        books.acks.push(took);
    }

    pub(super) fn agent_acknowledged(&self, _contact: &str, id: &str, took: Duration) {
        let mut books = self.books();
        books.agents.insert(id.to_owned());
        books.acks.push(took);
    }

    /// A line came to one end.
    pub(super) fn arrived(&self, place: &str, end: &'static str, line: &Value) {
        let (Some(id), Some(seq)) = (line["client_id"].as_str(), line["seq"].as_u64()) else { return };
        self.books().arrived.entry((place.to_owned(), end, id.to_owned())).or_default().push(seq);
    }

    /// Looks for everything acknowledged at the other end and in what the server reads back.
    pub(super) async fn judge(&self, port: u16) -> Result<Verdict, Failure> {
        let links: Vec<String> = self.books().links.iter().cloned().collect();
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        let mut gaps = 0;
        for link in &links {
            gaps += read_back(port, link, &mut kept).await?;
        }
        let mut books = self.books();
        let at_customers: HashSet<&String> =
            books.arrived.keys().filter(|(_, end, _)| *end == "customer").map(|(_, _, id)| id).collect();
        let at_agents: HashSet<&String> =
            books.arrived.keys().filter(|(_, end, _)| *end == "agent").map(|(_, _, id)| id).collect();
        let lost_of_customers =
            books.customers.iter().filter(|(_, id)| !kept.contains_key(id) || !at_agents.contains(id)).count();
        let lost_of_agents =
            books.agents.iter().filter(|id| !kept.contains_key(*id) || !at_customers.contains(id)).count();
        let twice_kept = kept.values().filter(|times| **times > 1).count();
        // The same line may come again to a desk that was cut off before it said how far it was, but with the same number.
        let twice_shown = books.arrived.values().filter(|seqs| seqs.iter().collect::<HashSet<_>>().len() > 1).count();
        let acknowledged = books.acks.len();
        let mut acks = std::mem::take(&mut books.acks);
        acks.sort_unstable();
        let lost = lost_of_customers + lost_of_agents + gaps;
        Ok(Verdict { acknowledged, lost, doubled: twice_kept + twice_shown, acks })
    }
}

/// Counts the chat's messages by id; the answer is the number of gaps in the numbering.
async fn read_back(port: u16, link: &str, kept: &mut BTreeMap<String, usize>) -> Result<usize, Failure> {
    let (mut after, mut gaps) = (0, 0);
    loop {
        let answer = http::get(port, &format!("/api/v1/chat/{link}?after={after}")).await?;
        let lines = answer.json["messages"].as_array().cloned().unwrap_or_default();
        if answer.status != 200 {
            return Err(format!("read back: {} {}", answer.status, answer.json).into());
        }
        if lines.is_empty() {
            return Ok(gaps);
        }
        for line in &lines {
            let seq = line["seq"].as_u64().unwrap_or(0);
            gaps += usize::from(seq != after + 1);
            after = seq;
            *kept.entry(line["client_id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
}

impl Verdict {
    /// Milliseconds from sending to the acknowledgement.
    pub(super) fn ack_ms(&self, share: f64) -> f64 {
        let index = ((self.acks.len() as f64 * share) as usize).min(self.acks.len().saturating_sub(1));
        self.acks.get(index).map_or(0.0, |took| round(took.as_secs_f64() * 1000.0))
    }
}
