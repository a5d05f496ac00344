//! What administrators do, and what befalls the house: configuration, closures, outages, crashes, clocks that are set.

use ringback_routing::{Core, agent::Presence, config::Closure, core::Start, event::Event, time::Timestamp};

use super::{
    Checked,
    agenda::Plan,
    insist, scene,
    site::Site,
    twin::{Twin, reread},
};

impl Site {
    pub fn house(&mut self, index: usize) -> Checked {
        if self.ending {
            return Ok(());
        }
        // In a large house the same is done more seldom: most events are to be customers' and agents'.
        let pace = 1 + self.tenants[index].people.len() as i64 / 15;
        self.agenda.push(self.now + self.dice.seconds(120 * pace, 1500 * pace), index, Plan::House);
        let who = self.dice.roll(self.tenants[index].people.len() as u64) as usize;
        match self.dice.roll(10) {
            0..=2 => self.reconfigure(index),
            3 => {
                let until = (!self.dice.one_in(4)).then(|| self.now + self.dice.seconds(60, 900));
                self.close_office(index, until)
            }
            4 | 5 => self.configured(index, Event::ClosureLifted),
            6 => {
                self.exchange.down_until = self.now + self.dice.seconds(5, 120);
                Ok(())
            }
            7 => self.remove_agent(index, who),
            _ => self.configure_agent(index, who),
        }
    }

    fn reconfigure(&mut self, index: usize) -> Checked {
        let calm = self.tenants[index].people.len() > 12;
        let old = &self.tenants[index].config;
        let mut config = scene::tenant(&mut self.dice, index, calm);
        // Hours seldom change; who is in line must go on being served under most changes.
        (config.version, config.timezone) = (old.version + 1, old.timezone);
        if !self.dice.one_in(4) {
            config.hours = old.hours.clone();
        }
        self.configured(index, Event::TenantConfigured { config: Box::new(config) })
    }

    fn close_office(&mut self, index: usize, until: Option<Timestamp>) -> Checked {
        let closure = Closure { since: self.now, until, message: "Fire drill".into() };
        if until.is_none() {
            // Nobody forgets a closure for good.
            self.agenda.push(self.now + self.dice.seconds(60, 600), index, Plan::House);
        }
        self.configured(index, Event::ClosureDeclared { closure })
    }

    /// An event that changes the tenant's configuration.
    fn configured(&mut self, index: usize, event: Event) -> Checked {
        if let Event::TenantConfigured { config } = &event {
            self.tenants[index].config = (**config).clone();
        }
        self.take(index, event)?;
        let tenant = &mut self.tenants[index];
        tenant.config = tenant.core.config().clone();
        tenant.ledger.rank_by(tenant.config.policy.ageing);
        Ok(())
    }

    pub fn configure_agent(&mut self, index: usize, who: usize) -> Checked {
        let id = self.tenants[index].people[who].id.clone();
        let agent = if self.ending { scene::able_agent(&id) } else { scene::agent(&mut self.dice, &id) };
        self.tenants[index].ledger.configured(self.now, agent.clone());
        self.take(index, Event::AgentConfigured { agent })?;
        let soon = self.now + self.dice.seconds(1, 30);
        self.tenants[index].plan_whim(soon, index, who, &mut self.agenda);
        Ok(())
    }

    fn remove_agent(&mut self, index: usize, who: usize) -> Checked {
        let id = self.tenants[index].people[who].id.clone();
        self.tenants[index].ledger.removed(&id);
        self.take(index, Event::AgentRemoved { agent: id })?;
        Ok(())
    }

    /// The end of the day: open, staffed by people who can do everything.
    pub fn open_all_doors(&mut self, index: usize) -> Checked {
        self.configured(index, Event::ClosureLifted)?;
        let config = scene::open_all_day(&self.tenants[index].config);
        self.configured(index, Event::TenantConfigured { config: Box::new(config) })?;
        for who in 0..self.tenants[index].people.len() {
            self.configure_agent(index, who)?;
        }
        Ok(())
    }

    /// The clock is set, forwards or backwards, without the timers having been asked.
    pub fn jump(&mut self, index: usize) -> Checked {
        if self.ending {
            return Ok(());
        }
        self.agenda.push(self.now + self.dice.seconds(300, 7200), index, Plan::Jump);
        let by = self.dice.seconds(1, 3000);
        self.latest = self.latest.max(self.now);
        self.now = if self.dice.one_in(2) { self.now + by } else { self.now - by };
        for index in 0..self.tenants.len() {
            self.fire(index)?;
        }
        Ok(())
    }

    /// One tenant's core is lost (a number's conflict at commit), or the process with all of them.
    pub fn plan_crash(&mut self, index: usize) -> Checked {
        if self.ending {
            return Ok(());
        }
        let pace = 1 + self.tenants[index].people.len() as i64 / 15;
        self.agenda.push(self.now + self.dice.seconds(600 * pace, 7200 * pace), index, Plan::Crash);
        match self.dice.roll(4) {
            0 => self.crash(index),
            1 => (0..self.tenants.len()).try_for_each(|index| self.crash(index)),
            _ => {
                self.tenants[index].crash_when_quiet = true;
                Ok(())
            }
        }
    }

    /// A crash that was to come when nobody is being served.
    pub fn crash_when_quiet(&mut self) -> Checked {
        for index in 0..self.tenants.len() {
            let tenant = &mut self.tenants[index];
            if tenant.crash_when_quiet && self.now >= self.latest && tenant.is_quiet(self.now) {
                tenant.crash_when_quiet = false;
                self.crash(index)?;
            }
        }
        Ok(())
    }

    /// Restored from the ledger's rows, as text half of the time, beside a twin restored from the memory that was lost.
    pub fn crash(&mut self, index: usize) -> Checked {
        self.tell(index, || "crash".into());
        self.crashes += 1;
        let (seed, now, text) = (self.dice.draw(), self.now, self.dice.one_in(2));
        let tenant = &mut self.tenants[index];
        // A start looks at the hours anew. While the clock has not caught up with where it was, that tells more than the old core knew.
        let quiet = now >= self.latest && tenant.is_quiet(now);
        let lost = Start {
            seed,
            config: tenant.core.config().clone(),
            agent_configs: tenant.ledger.agent_configs(),
            contacts: tenant.core.contacts().cloned().collect(),
            agents: tenant.ledger.seated().into_iter().filter_map(|(id, _)| tenant.record_of(id)).collect(),
            past_waits: Vec::new(),
            guards: tenant.core.guards().into_iter().filter(|guard| guard.until > now).collect(),
        };
        let mut start = tenant.start_from_rows(now, seed);
        insist!(start == lost, "county-{index}: the rows are not what was in memory");
        if text {
            start = reread(&start)?;
        }
        let before = std::mem::replace(&mut tenant.core, Core::restore(now, start));
        tenant.twin = match (quiet, text) {
            (true, _) => Some(Twin::signed_off(now, before, seed)),
            (false, true) => Some(Twin::new(now, lost)),
            (false, false) => None,
        };
        self.quiet += u64::from(quiet);
        self.twins += u64::from(tenant.twin.is_some());
        tenant.ledger.crashed(now);
        tenant.people.iter_mut().for_each(|person| person.crashed());
        self.exchange.crashed(index);
        self.drain(index, None, false)?;
        let tenant = &self.tenants[index];
        self.exchange.keep_rooms(index, |contact| tenant.ledger.in_chat(contact));
        for (agent, seat) in tenant.ledger.seated() {
            let offline = seat.shown() == Presence::Offline || seat.is_busy();
            insist!(offline, "{agent}: shown as {:?} after a crash", seat.shown());
        }
        for who in 0..self.tenants[index].people.len() {
            let back = now + self.dice.seconds(1, 120);
            self.tenants[index].plan_whim(back, index, who, &mut self.agenda);
        }
        Ok(())
    }
}
