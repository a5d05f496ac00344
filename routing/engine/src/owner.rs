//! The owner of one tenant's core: the only task that touches it.
//!
//! Mail comes in three bounded boxes (pages, legs, questions); a turn takes what waits, commits, answers. Deeds leave
//! through a backlog, so that the owner never waits for the hands while the hands wait for the owner.

use std::{collections::VecDeque, sync::Arc};

use ringback_routing::{
    Core,
    config::{AgentConfig, Closure, TenantConfig},
    core::Start,
    event::{Event, Receipt, Rejection},
    ids::{AgentId, ContactId, TenantId},
    output::Command,
    time::Timestamp,
    view::{AgentView, Availability, BoardView, ClosurePreview, SlotView, StatusView, WhyView},
};
use ringback_store::{JournalEntry, Store, StoreError, TurnWrite};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    aftermath,
    alarms::{Alarm, Alarms},
    clock::Clock,
    config::EngineLimits,
    desks::{Desks, Touched},
    error::EngineError,
    metrics::Metrics,
    plant::Books,
    turn::{Turn, start_body},
};

/// An event from a page, whose sender waits for the answer.
pub(crate) struct Letter {
    pub event: Event,
    pub reply: oneshot::Sender<Result<Receipt, EngineError>>,
}

/// A question about the present; answered between turns.
pub(crate) enum Ask {
    Availability(oneshot::Sender<Availability>),
    Slots(oneshot::Sender<Vec<SlotView>>),
    ClosurePreview(Closure, oneshot::Sender<ClosurePreview>),
    Status(ContactId, oneshot::Sender<Option<StatusView>>),
    Agent(AgentId, oneshot::Sender<Option<AgentView>>),
    Board(usize, oneshot::Sender<Option<BoardView>>),
    Why(ContactId, usize, oneshot::Sender<Option<WhyView>>),
    Config(oneshot::Sender<Arc<TenantConfig>>),
}

/// The ends the owner reads from.
pub(crate) struct Boxes {
    pub pages: mpsc::Receiver<Letter>,
    pub legs: mpsc::Receiver<Event>,
    pub asks: mpsc::Receiver<Ask>,
}

/// What the owner was given at start.
pub(crate) struct OwnerSetup {
    pub config: TenantConfig,
    pub agents: Vec<AgentConfig>,
    pub epoch: i64,
    pub clock: Clock,
    pub store: Store,
    pub limits: EngineLimits,
    pub alarms: Arc<Alarms>,
    pub metrics: Arc<Metrics>,
    pub books: Arc<Books>,
}

/// What the owner does next.
enum Step {
    /// A deed went to the hands, or an event waits for others.
    Done,
    Ask(Ask),
    /// Events from legs.
    Legs,
    Page(Box<Letter>),
    /// A timer of the core, or the end of a pause.
    Due,
}

/// A turn that waits for the ledger, and the deeds that wait for the turn.
struct Held {
    write: Arc<TurnWrite>,
    after: After,
}

/// What a turn brings about once the ledger has it.
struct After {
    commands: Vec<Command>,
    visible: bool,
    touched: Touched,
    configured: bool,
}

pub(crate) struct Owner {
    tenant: TenantId,
    setup: OwnerSetup,
    core: Core,
    boxes: Boxes,
    deeds: mpsc::Sender<Command>,
    backlog: VecDeque<Command>,
    /// A turn the ledger did not take.
    held: Option<Held>,
    /// What was refused and changed nothing: it is written with the next turn.
    idle: Vec<JournalEntry>,
    /// Events from legs that wait for company.
    early: Vec<Event>,
    /// The next turn is not begun before.
    next_turn: tokio::time::Instant,
    /// And one for nothing but events from legs not before that.
    next_leg_turn: tokio::time::Instant,
    /// Set after a failed commit: nothing is taken before.
    paused_until: Option<tokio::time::Instant>,
    /// Of the journal, counted anew in every epoch.
    seq: u64,
    last: Timestamp,
    version: watch::Sender<u64>,
    desks: Arc<Desks>,
}

impl Owner {
    /// Restores the core from the ledger and commits what settling the past decided.
    pub async fn open(
        setup: OwnerSetup,
        boxes: Boxes,
        deeds: mpsc::Sender<Command>,
        version: watch::Sender<u64>,
        desks: Arc<Desks>,
    ) -> Result<Self, StoreError> {
        let tenant = setup.config.id.clone();
        let now = setup.clock.now();
        let (core, body) = restore(&setup, &tenant, now).await?;
        let mut owner = Self {
            tenant,
            core,
            boxes,
            deeds,
            backlog: VecDeque::new(),
            held: None,
            idle: Vec::new(),
            early: Vec::new(),
            next_turn: tokio::time::Instant::now(),
            next_leg_turn: tokio::time::Instant::now(),
            paused_until: None,
            seq: 0,
            last: now,
            version,
            desks,
            setup,
        };
        let mut turn = Turn::default();
        turn.start(&mut owner.core, &mut owner.seq, now, body);
        owner.commit(turn).await?;
        Ok(owner)
    }

    /// Runs until every sender of the boxes is gone.
    pub async fn run(mut self) {
        while let Some(step) = self.next_step().await {
            match step {
                Step::Done => {}
                Step::Ask(ask) => self.answer(ask),
                Step::Legs => self.turn(None).await,
                Step::Page(letter) if self.paused_until.is_some() => refuse(*letter),
                Step::Page(letter) => self.turn(Some(*letter)).await,
                Step::Due => {
                    self.paused_until = None;
                    self.turn(None).await;
                }
            }
        }
    }

    /// Waits for whatever comes first; None when the server ends.
    async fn next_step(&mut self) -> Option<Step> {
        let paused = self.paused_until;
        let due = match paused {
            Some(until) => Some(until),
            None => self.core.next_deadline().map(|at| self.setup.clock.instant_of(at)),
        };
        let room = self.backlog.len() < self.setup.limits.waiting_deeds;
        let gathering = paused.is_none() && self.early.len() < self.setup.limits.events_per_turn;
        tokio::select! {
            biased;
            permit = self.deeds.reserve(), if !self.backlog.is_empty() => {
                let permit = permit.ok()?;
                if let Some(deed) = self.backlog.pop_front() {
                    permit.send(deed);
                }
                Some(Step::Done)
            }
            ask = self.boxes.asks.recv() => ask.map(Step::Ask),
            event = self.boxes.legs.recv(), if gathering => {
                self.early.push(event?);
                Some(if self.next_leg_turn <= tokio::time::Instant::now() { Step::Legs } else { Step::Done })
            }
            () = tokio::time::sleep_until(self.next_leg_turn), if paused.is_none() && !self.early.is_empty() => {
                Some(Step::Legs)
            }
            letter = self.boxes.pages.recv(), if room => letter.map(|letter| Step::Page(Box::new(letter))),
            () = sleep_until(due), if due.is_some() => Some(Step::Due),
        }
    }

    async fn turn(&mut self, letter: Option<Letter>) {
        if !self.settle_held().await {
            // Only the end of a pause brings a turn while one is held, so nothing is in hand here.
            return;
        }
        // What comes meanwhile is gathered below.
        tokio::time::sleep_until(self.next_turn).await;
        let now = self.now();
        let mut turn = Turn::default();
        if self.core.next_deadline().is_some_and(|due| due <= now) {
            turn.timeout(&mut self.core, &mut self.seq, now);
        }
        let (mut leg_events, mut letters) = (std::mem::take(&mut self.early), Vec::from_iter(letter));
        self.gather(&mut leg_events, &mut letters);
        for event in leg_events {
            if let Err(rejection) = turn.event(&mut self.core, &mut self.seq, now, event) {
                tracing::debug!(tenant = %self.tenant, %rejection, "a leg's event came too late to matter");
            }
        }
        let answers: Vec<(Result<Receipt, Rejection>, _)> = letters
            .into_iter()
            .map(|letter| (turn.event(&mut self.core, &mut self.seq, now, letter.event), letter.reply))
            .collect();
        if turn.is_empty() {
            return;
        }
        if answers.is_empty() && turn.is_idle() && self.idle.len() < self.setup.limits.events_per_turn {
            self.idle.append(&mut turn.journal);
            return;
        }
        let outcome = self.commit(turn).await;
        for (answer, reply) in answers {
            // A caller who went away does not need the answer.
            let _ = reply.send(match &outcome {
                Ok(()) => answer.map_err(EngineError::Rejected),
                Err(error) => Err(EngineError::Unavailable { why: why(error) }),
            });
        }
    }

    fn gather(&mut self, leg_events: &mut Vec<Event>, letters: &mut Vec<Letter>) {
        let limit = self.setup.limits.events_per_turn;
        while leg_events.len() + letters.len() < limit {
            let Ok(event) = self.boxes.legs.try_recv() else { break };
            leg_events.push(event);
        }
        while leg_events.len() + letters.len() < limit {
            let Ok(letter) = self.boxes.pages.try_recv() else { break };
            letters.push(letter);
        }
    }

    /// Commits the turn, or holds it: its deeds stay undone and nothing else is taken until it is in the ledger, so live
    /// calls go on through a full disk and no caller is told what does not hold.
    async fn commit(&mut self, turn: Turn) -> Result<(), StoreError> {
        let Turn { mut journal, changes, commands, visible, touched, configured, accepted: _ } = turn;
        if !self.idle.is_empty() {
            journal.splice(0..0, self.idle.drain(..));
        }
        let after = After { commands, visible, touched, configured };
        let write = Arc::new(TurnWrite { tenant: self.tenant.clone(), epoch: self.setup.epoch, journal, changes });
        let started = std::time::Instant::now();
        match self.setup.store.commit(Arc::clone(&write)).await {
            Ok(()) => {
                self.setup.metrics.turn(started.elapsed());
                self.committed(after);
                Ok(())
            }
            Err(error) => {
                self.hold(Held { write, after }, &error);
                Err(error)
            }
        }
    }

    fn committed(&mut self, after: After) {
        let now = tokio::time::Instant::now();
        self.next_turn = now + self.setup.limits.turn_pace;
        self.next_leg_turn = now + self.setup.limits.leg_pace;
        self.setup.alarms.clear(Alarm::LedgerRefuses);
        self.backlog.extend(after.commands);
        if after.configured {
            // A core made anew in this process starts from what holds now, not from what held at the program's start.
            self.setup.config = self.core.config().clone();
            self.setup.agents = self.core.agent_configs().cloned().collect();
        }
        if after.visible {
            self.version.send_modify(|version| *version += 1);
            self.desks.ring(&after.touched, *self.version.borrow());
        }
    }

    fn hold(&mut self, held: Held, error: &StoreError) {
        tracing::error!(tenant = %self.tenant, %error, "a turn did not commit; nothing of it was acknowledged or done");
        self.setup.alarms.raise(Alarm::LedgerRefuses, why(error));
        self.setup.metrics.commit_failures.add(1);
        self.held = Some(held);
        self.paused_until = Some(tokio::time::Instant::now() + self.setup.limits.commit_retry);
    }

    /// Tries the held turn again. True when nothing is held any more.
    async fn settle_held(&mut self) -> bool {
        let Some(held) = self.held.take() else { return true };
        match self.setup.store.commit(Arc::clone(&held.write)).await {
            Ok(()) => self.committed(held.after),
            Err(StoreError::Conflict(number)) => {
                // Somebody rings it whom this process does not know of: it is left alone as after a crash.
                let until = self.now() + self.setup.config.callback.guard_time;
                self.setup.books.channels().block(&number.number_key, until);
                if !self.restore_from_rows().await {
                    self.hold(held, &StoreError::Conflict(number));
                }
            }
            Err(_) if self.kept_already(&held.write).await => self.committed(held.after),
            Err(error) => self.hold(held, &error),
        }
        self.held.is_none() && self.paused_until.is_none()
    }

    /// Whether the write that seemed to fail is in the ledger: a lost connection leaves that open.
    async fn kept_already(&self, write: &TurnWrite) -> bool {
        let Some(last) = write.journal.last() else { return false };
        let after = (write.epoch, last.seq.saturating_sub(1));
        let rows = self.setup.store.journal_page(&self.tenant, after, 1).await.unwrap_or_default();
        rows.iter().any(|row| {
            (row.epoch, row.entry.seq) == (write.epoch, last.seq) && row.entry.outputs_digest == last.outputs_digest
        })
    }

    /// The ledger can never take the held turn: the core is discarded and starts from what the ledger has. What the
    /// discarded one held outside is given back, and the agents, whose browsers have not gone anywhere, are there again.
    /// False while not even the ledger can be read.
    async fn restore_from_rows(&mut self) -> bool {
        let now = self.now();
        match restore(&self.setup, &self.tenant, now).await {
            Ok((core, body)) => {
                let before = std::mem::replace(&mut self.core, core);
                self.backlog.extend(aftermath::given_back(&before));
                let mut turn = Turn::default();
                turn.start(&mut self.core, &mut self.seq, now, body);
                for event in aftermath::still_here(&before) {
                    // Who was added by the turn that is lost is not known to the new core.
                    let _ = turn.event(&mut self.core, &mut self.seq, now, event);
                }
                // A failure holds the start itself; it is tried again like any turn.
                let _ = self.commit(turn).await;
                true
            }
            Err(error) => {
                tracing::error!(tenant = %self.tenant, %error, "the core cannot be restored yet");
                false
            }
        }
    }

    fn now(&mut self) -> Timestamp {
        self.last = self.last.max(self.setup.clock.now());
        self.last
    }

    fn answer(&mut self, ask: Ask) {
        let now = self.now();
        // Whoever asked and went away does not need the answer.
        match ask {
            Ask::Slots(reply) => drop(reply.send(self.core.slots(now))),
            Ask::ClosurePreview(closure, reply) => drop(reply.send(self.core.closure_preview(&closure))),
            Ask::Availability(reply) => drop(reply.send(self.core.availability(now))),
            Ask::Status(contact, reply) => drop(reply.send(self.core.status_view(now, contact))),
            Ask::Agent(agent, reply) => drop(reply.send(self.core.agent_view(now, &agent))),
            Ask::Board(limit, reply) => drop(reply.send(self.core.board_view(now, limit))),
            Ask::Why(contact, limit, reply) => drop(reply.send(self.core.explain(now, contact, limit))),
            Ask::Config(reply) => drop(reply.send(Arc::new(self.core.config().clone()))),
        }
    }
}

async fn restore(setup: &OwnerSetup, tenant: &TenantId, now: Timestamp) -> Result<(Core, String), StoreError> {
    let (contacts, agents) = setup.store.load_open(tenant).await?;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|_| StoreError::Io("no randomness from the operating system".into()))?;
    let start = Start {
        seed: u64::from_le_bytes(seed),
        config: setup.config.clone(),
        agent_configs: setup.agents.clone(),
        contacts,
        agents,
        past_waits: setup.store.past_waits(tenant, now).await?,
        guards: setup.store.number_guards(tenant, now).await?,
    };
    let body = start_body(&start);
    Ok((Core::restore(now, start), body))
}

fn refuse(letter: Letter) {
    drop(letter.reply.send(Err(EngineError::Unavailable { why: "the ledger does not take writes at the moment" })));
}

fn why(error: &StoreError) -> &'static str {
    match error {
        StoreError::DiskFull => "the disk is full",
        StoreError::Full => "too many writes are waiting",
        StoreError::Fenced => "another node has taken over this tenant",
        _ => "the ledger does not take writes at the moment",
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}
