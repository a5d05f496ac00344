//! Two cores that must not differ after a crash: the one restored from the ledger's rows, and a twin that never saw them.
//! While people are being served the twin is restored from the very records that were in memory. While nobody is, it is
//! the old core itself, in which everybody has signed off. Both are given the same events from then on.

use ringback_routing::{
    Core,
    agent::{AgentRecord, RequestedState},
    core::Start,
    event::Event,
    ids::AgentId,
    output::Output,
    time::Timestamp,
};

use super::{Checked, Fault, insist, site::Tenant};

/// The core that never left memory.
pub struct Twin {
    pub core: Core,
    /// The restored core's own outputs, of settling, are still to come.
    fresh: bool,
    /// How many drains it still has to go along.
    left: u32,
}

/// What a crash has put wrong shows within so many drains: by then everybody is back and at work again.
const DRAINS: u32 = 600;

impl Twin {
    pub fn new(now: Timestamp, start: Start) -> Self {
        Self { core: Core::restore(now, start), fresh: false, left: DRAINS }
    }

    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The old core itself, as if there had been no crash but only everybody's going: `seed` and what no row holds apart,
    /// it must be as the restored one.
    pub fn signed_off(now: Timestamp, mut core: Core, seed: u64) -> Self {
        let agents: Vec<_> = core.agent_configs().map(|agent| agent.id.clone()).collect();
        for agent in agents {
            let session = core.agent(&agent).and_then(|record| record.session.clone());
            let state = RequestedState::Offline;
            // Refused only to those who are off already.
            let _ = core.handle(now, Event::AgentStateRequested { agent: agent.clone(), state });
            if let Some(session) = session {
                let _ = core.handle(now, Event::AgentDisconnected { agent, session });
            }
        }
        while core.poll_output().is_some() {}
        core.lose_what_no_row_holds(seed);
        Self { core, fresh: true, left: DRAINS }
    }

    /// Its outputs to the same event must be those of the restored one.
    pub fn compare(&mut self, outputs: &[Output]) -> Checked {
        if std::mem::take(&mut self.fresh) {
            // Nothing was to be settled: rows are written again as they are, and nothing is done.
            let deed = outputs.iter().find(|output| matches!(output, Output::Command(_)));
            insist!(deed.is_none(), "a crash in which nobody was served asked for {deed:?}");
            return Ok(());
        }
        for (at, output) in outputs.iter().enumerate() {
            let own = self.core.poll_output();
            insist!(own.as_ref() == Some(output), "output {at} after a crash is {output:?}, without it {own:?}");
        }
        self.left -= 1;
        let more = self.core.poll_output();
        insist!(more.is_none(), "no output after a crash, without it {more:?}");
        Ok(())
    }
}

impl Tenant {
    /// Nobody is being served and no timer is overdue.
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        let nothing_due = self.core.next_deadline().is_none_or(|due| due > now);
        self.ledger.is_quiet() && !self.core.is_blocked() && nothing_due
    }

    /// What the ledger would give a core to start from.
    pub fn start_from_rows(&self, now: Timestamp, seed: u64) -> Start {
        let mut contacts: Vec<_> = self.ledger.rows.values().map(|row| (*row.contact).clone()).collect();
        contacts.sort_by_key(|contact| contact.id);
        Start {
            seed,
            config: self.config.clone(),
            agent_configs: self.ledger.agent_configs(),
            contacts,
            agents: self.ledger.seated().into_iter().map(|(_, seat)| seat.record.clone()).collect(),
            // The real ledger gives the latest waits, of bounded number; a test of the core's own holds them equal.
            past_waits: Vec::new(),
            guards: self.ledger.guards(now),
        }
    }

    /// The agent's record in memory; of who has left, the last row.
    pub fn record_of(&self, agent: &AgentId) -> Option<AgentRecord> {
        let row = self.ledger.seats.get(agent).map(|seat| &seat.record);
        self.core.agent(agent).or(row).cloned()
    }
}

/// The same, through the form in which it is kept.
pub fn reread(start: &Start) -> Result<Start, Fault> {
    let text = serde_json::to_string(start).map_err(|error| Fault(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| Fault(error.to_string()))
}
