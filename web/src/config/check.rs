//! What the shape of the file cannot say: references, ranges, files that must be readable.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
};

use ringback_routing::{
    config::{
        Aftermath, CallbackConfig, ChatConfig, Gate, Holiday, Hours, Limits, OpenInterval, Policy, QueueConfig,
        QueuePolicy, Slots, Sticky, TenantConfig,
    },
    ids::{QueueId, ReasonCode, TrunkId},
    time::Millis,
};
use ringback_store::Role;
use toml::Spanned;

use super::{
    Bounds, ChatFace, Face, OidcGroup, OidcProvider, Problem, RequestCaps, ServerConfig, Tenant, Trunk,
    file::{ConfigFile, LimitsTable, OidcGroupTable, OidcTable, Secret},
    tenant::{AftermathTable, AuthMode, HoursTable, PolicyTable, TenantTable},
};
use crate::{fetch, phone::PhoneRules, settings::OwnPortal};

/// Longest message that can be configured, in letters: it must fit into one frame of the agents' socket.
const MOST_CHARS: usize = 10_000;
/// Shortest silence that may end a chat, in seconds.
const LEAST_IDLE: u32 = 120;

pub(super) struct Check<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

pub(super) fn build(text: &str, file: ConfigFile) -> Result<ServerConfig, Vec<Problem>> {
    let mut check = Check { text, problems: Vec::new() };
    check.server(&file);
    let rtp_ports = check.rtp_ports(&file.media.rtp_ports);
    let turn = check.turn(file.media.turn.as_ref());
    let trunks: Vec<Trunk> = file.trunk.iter().map(|table| check.trunk(table)).collect();
    check.unique("trunk", file.trunk.iter().map(|trunk| (trunk.id.get_ref().as_str(), trunk.id.span())));
    check.unique("tenant", file.tenant.iter().map(|tenant| (tenant.id.get_ref().as_str(), tenant.id.span())));
    let mut by_priority: Vec<_> = file.trunk.iter().collect();
    by_priority.sort_by_key(|trunk| trunk.priority);
    let known: Vec<TrunkId> = by_priority.iter().map(|trunk| trunk.id.get_ref().clone()).collect();
    let tenants: Vec<Tenant> = file.tenant.iter().map(|table| check.tenant(table, &known, &file.limits)).collect();
    check.numbers_apart(&file.tenant);
    let oidc = file.oidc.as_ref().map(|table| check.oidc(table, &tenants));
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    let data = &file.server.data_dir;
    Ok(ServerConfig {
        origin: origin_of(&file.server.public_url).unwrap_or_default(),
        store_url: file.store.url.clone().unwrap_or_else(|| default_store(data)),
        recordings_dir: file.recorder.dir.clone().unwrap_or_else(|| data.join("recordings")),
        rtp_ports,
        turn,
        trunks,
        tenants,
        oidc,
        file,
    })
}

fn default_store(data: &Path) -> String {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    format!("sqlite://{}", absolute.join("ringback.db").display())
}

/// A tenant by itself, as its table says.
pub(super) fn alone(text: &str, table: &TenantTable, trunks: &[TrunkId], limits: &LimitsTable) -> Option<Tenant> {
    let mut check = Check { text, problems: Vec::new() };
    let tenant = check.tenant(table, trunks, limits);
    check.problems.is_empty().then_some(tenant)
}

/// Scheme, host and port of a URL, in the form browsers send as Origin.
pub(super) fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?.to_lowercase();
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    let fits = !authority.is_empty() && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    fits.then(|| format!("{scheme}://{authority}"))
}

impl Check<'_> {
    pub(super) fn says(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(Problem::at(self.text, span, message));
    }

    pub(super) fn about(&mut self, key: &str, message: impl Into<String>) {
        let last = key.rsplit('.').next().unwrap_or(key);
        let line = self
            .text
            .lines()
            .position(|line| {
                line.trim_start().strip_prefix(last).is_some_and(|rest| rest.trim_start().starts_with('='))
            })
            .map_or(0, |index| index + 1);
        self.problems.push(Problem { line, key: key.to_owned(), message: message.into() });
    }

    fn unique<'t>(&mut self, what: &str, ids: impl Iterator<Item = (&'t str, Range<usize>)>) {
        let mut seen = BTreeSet::new();
        for (id, span) in ids {
            let plain = !id.is_empty()
                && id.len() <= 40
                && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
            if !plain {
                self.says(span.clone(), format!("a {what}'s id has 1 to 40 of a-z, 0-9, - and _"));
            }
            if !seen.insert(id.to_owned()) {
                self.says(span, format!("there is another {what} called `{id}`"));
            }
        }
    }

    fn server(&mut self, file: &ConfigFile) {
        let server = &file.server;
        if origin_of(&server.public_url).is_none() {
            self.about("server.public_url", "must be like https://callback.example.gov");
        }
        if server.http.is_empty() && server.https.is_empty() {
            self.about("server.http", "neither http nor https has an address to listen on");
        }
        let has_files = server.certificate.is_some() && server.private_key.is_some();
        if !server.https.is_empty() && !has_files {
            self.about("server.https", "https needs certificate and private_key");
        }
        for (key, path) in [("server.certificate", &server.certificate), ("server.private_key", &server.private_key)] {
            if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
                self.about(key, format!("{} is not a readable file", path.display()));
            }
        }
        if file.recorder.flush_ms == 0 || file.recorder.flush_ms > 1000 {
            self.about("recorder.flush_ms", "must be 1 to 1000");
        }
        if file.sip.udp.is_none() && file.sip.tcp.is_none() {
            self.about("sip.udp", "neither udp nor tcp has an address");
        }
        let sip_files = [
            ("sip.certificate", &file.sip.certificate),
            ("sip.private_key", &file.sip.private_key),
            ("sip.client_ca_file", &file.sip.client_ca_file),
        ];
        for (key, path) in sip_files {
            if let Some(path) = path.as_ref().filter(|path| !path.is_file()) {
                self.about(key, format!("{} is not a readable file", path.display()));
            }
        }
        if file.sip.tls.is_some() && (file.sip.certificate.is_none() || file.sip.private_key.is_none()) {
            self.about("sip.tls", "tls needs certificate and private_key");
        }
        if let Some(fault) = file.founded.dialling.fault() {
            self.about("founded.dialling", fault);
        }
        self.limits(&file.limits);
    }

    fn limits(&mut self, limits: &LimitsTable) {
        if limits.ping_seconds == 0 || limits.silent_tab_seconds <= limits.ping_seconds {
            self.about("limits.silent_tab_seconds", "must be longer than ping_seconds, which must be at least 1");
        }
        if limits.dead_tab_seconds <= limits.silent_tab_seconds {
            self.about("limits.dead_tab_seconds", "must be longer than silent_tab_seconds");
        }
        let at_least_one = [
            ("limits.body_bytes", limits.body_bytes),
            ("limits.connections", limits.connections),
            ("limits.socket_queue", limits.socket_queue),
            ("limits.password_checks", limits.password_checks),
            ("limits.recording_chunk_bytes", limits.recording_chunk_bytes),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                self.about(key, "must be at least 1");
            }
        }
    }

    fn rtp_ports(&mut self, text: &str) -> (u16, u16) {
        let range = text
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?)));
        match range {
            Some((first, last)) if first >= 1024 && first < last => (first, last),
            _ => {
                self.about("media.rtp_ports", "must be like 30000-31999, from 1024 up");
                (0, 0)
            }
        }
    }

    pub(super) fn secret_file(&mut self, path: &Spanned<std::path::PathBuf>) -> Option<String> {
        match std::fs::read_to_string(path.get_ref()) {
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.says(path.span(), format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn tenant(&mut self, table: &TenantTable, trunks: &[TrunkId], limits: &LimitsTable) -> Tenant {
        let id_span = table.id.span();
        if !table.languages.contains(table.language.get_ref()) {
            self.says(id_span.clone(), format!("language `{}` is not among languages", table.language.get_ref()));
        }
        if table.auth == AuthMode::Required
            && (table.callback.enabled || table.chat.enabled)
            && table.portal_key.is_empty()
        {
            self.says(id_span.clone(), "auth = \"required\" needs a portal_key, or nobody could ask for anything");
        }
        let rules = PhoneRules {
            default_country: table.country,
            countries: table.allowed_countries.clone(),
            kinds: table.number_kinds.clone(),
        };
        let dialable = |phone: &str| phone.starts_with('+') && phonenumber::parse(None, phone).is_ok();
        if let Some(phone) = table.public_phone.as_ref().filter(|phone| !dialable(phone.get_ref())) {
            self.says(phone.span(), "must be E.164 like +19165550000");
        }
        if let Some(fault) = table.dialling.fault() {
            self.says(id_span.clone(), fault);
        }
        if let Some(field) = table.retention.fault() {
            self.says(table.id.span(), format!("retention.{field} is 1 to 36500"));
        }
        let keys = table.portal_key.iter().flat_map(|key| self.portal_key(key)).collect();
        let core = self.core(table, trunks, limits);
        let face = Face {
            languages: table.languages.clone(),
            public_phone: table.public_phone.as_ref().map(|phone| phone.get_ref().clone()),
            home: table.country,
            phone_rules: rules,
            dialling: table.dialling,
            requests: RequestCaps::of(limits),
            bounds: Bounds::of(table, limits),
            accent: table.accent,
            logo: None,
            auth: table.auth,
            queue_auth: self.queue_auth(table),
            portal_keys: keys,
            portal_jwks: table.key_addresses(),
            own_portal: OwnPortal::default(),
            origins: table.origins.clone(),
            trunks: core.callback.trunks.clone(),
            show_numbers: table.show_numbers,
            prompts: table.prompts.clone(),
            can_reject: table.policy.can_reject,
            chat: self.chat_face(table),
            lending: self.lending(table),
            asking: Self::asking(table),
            caller_ids: table.caller_id.iter().map(Into::into).collect(),
            caller_id: self.caller_id(table),
            retired: BTreeSet::new(),
            retention: table.retention,
            forms: table.forms,
            own_prompts: Vec::new(),
        };
        Tenant { core, face }
    }

    fn core(&mut self, table: &TenantTable, trunks: &[TrunkId], limits: &LimitsTable) -> TenantConfig {
        let queues = if table.queue.is_empty() {
            vec![QueueConfig { id: QueueId::new("general"), name: "General".into() }]
        } else {
            table.queue.iter().map(|queue| QueueConfig { id: queue.id.clone(), name: queue.name.clone() }).collect()
        };
        let subjects = self.subjects(table, &queues, limits.targets);
        if (table.callback.enabled || table.chat.enabled) && table.hours.is_empty() {
            self.says(table.id.span(), "callbacks or chats are on but there are no [[tenant.hours]]");
        }
        TenantConfig {
            id: table.id.get_ref().clone(),
            name: table.name.clone(),
            version: 1,
            timezone: table.timezone,
            language: table.language.get_ref().clone(),
            language_skills: self.language_skills(table),
            callback: self.callback(table, trunks),
            chat: self.chat(table),
            inbound: self.inbound(table, &subjects),
            outbound: table.dialling.agents_call_out,
            tell_code: table.dialling.tell_code,
            hours: hours(table),
            queues,
            subjects,
            policy: self.policy(table, &table.policy),
            queue_policies: self.queue_policies(table),
            reason_codes: table.reason_codes.clone(),
            dispositions: table.disposition.iter().map(Into::into).collect(),
            limits: Limits { max_open_contacts: limits.open_contacts, max_agents: limits.agents },
        }
    }

    fn chat_face(&mut self, table: &TenantTable) -> ChatFace {
        let chat = &table.chat;
        if !(1..=MOST_CHARS).contains(&chat.agent_chars) || !(1..=MOST_CHARS).contains(&chat.customer_chars) {
            let text = format!("chat.agent_chars and chat.customer_chars are 1 to {MOST_CHARS}");
            self.says(table.id.span(), text);
        }
        for canned in &table.canned {
            let plain = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
            if canned.word.is_empty() || !canned.word.chars().all(plain) {
                let text = format!(
                    "the word `{}` of a canned answer has other signs than letters, digits, - and _",
                    canned.word
                );
                self.says(table.id.span(), text);
            }
            if canned.text.chars().count() > chat.agent_chars {
                self.says(
                    table.id.span(),
                    format!("the canned answer `{}` is longer than chat.agent_chars", canned.word),
                );
            }
        }
        ChatFace {
            agent_chars: chat.agent_chars,
            customer_chars: chat.customer_chars,
            offer_callback_ms: Some(i64::from(chat.offer_callback_seconds) * 1000).filter(|after| *after > 0),
            log_opens: chat.log_opens,
            canned: table.canned.clone(),
            faq: table.faq.clone(),
        }
    }

    fn callback(&mut self, table: &TenantTable, trunks: &[TrunkId]) -> CallbackConfig {
        let callback = &table.callback;
        if callback.max_attempts == 0 || callback.ring_seconds == 0 {
            self.says(table.id.span(), "callback.max_attempts and callback.ring_seconds are at least 1");
        }
        for trunk in &callback.trunks {
            if !trunks.contains(trunk.get_ref()) {
                self.says(trunk.span(), format!("there is no trunk `{}`", trunk.get_ref()));
            }
        }
        if callback.enabled && trunks.is_empty() {
            self.says(table.id.span(), "callbacks are on but there is no [[trunk]]");
        }
        let chosen = if callback.trunks.is_empty() {
            trunks.to_vec()
        } else {
            callback.trunks.iter().map(|trunk| trunk.get_ref().clone()).collect()
        };
        CallbackConfig {
            enabled: callback.enabled,
            max_attempts: callback.max_attempts,
            busy_spacing: secs(callback.busy_spacing_seconds),
            no_answer_spacing: secs(callback.no_answer_spacing_seconds),
            failed_spacing: secs(callback.failed_spacing_seconds),
            ring_timeout: secs(callback.ring_seconds),
            press_one: callback.press_one,
            press_one_timeout: secs(callback.press_one_seconds),
            trunks: chosen,
            guard_time: secs(callback.guard_seconds),
            entry_mode: callback.entry_mode,
            gate: callback.longest_wait_minutes.map(|minutes| Gate {
                longest_wait: Millis::from_secs(i64::from(minutes) * 60),
                check_at: callback.check_at,
                then: callback.over_longest_wait,
            }),
            slots: self.slots(table),
            window: intervals(&callback.hours),
        }
    }

    fn chat(&mut self, table: &TenantTable) -> ChatConfig {
        let chat = &table.chat;
        // The core hears of a chat's life once a minute.
        if chat.idle_seconds < LEAST_IDLE || chat.longest_wait_seconds == 0 {
            let text = format!("chat.idle_seconds is at least {LEAST_IDLE}, chat.longest_wait_seconds at least 1");
            self.says(table.id.span(), text);
        }
        ChatConfig {
            enabled: chat.enabled,
            reconnect_grace: secs(chat.reconnect_grace_seconds),
            longest_wait: secs(chat.longest_wait_seconds),
            idle_timeout: secs(chat.idle_seconds),
        }
    }

    fn slots(&mut self, table: &TenantTable) -> Option<Slots> {
        let slots = table.callback.slots.as_ref()?;
        let minutes = |minutes: u32| Millis::from_secs(i64::from(minutes) * 60);
        if ![5, 10, 15, 20, 30, 60].contains(&slots.minutes) || slots.capacity == 0 || slots.days_ahead == 0 {
            self.says(
                table.id.span(),
                "callback.slots: minutes is 5, 10, 15, 20, 30 or 60, capacity and days_ahead at least 1",
            );
        }
        Some(Slots {
            length: minutes(slots.minutes),
            capacity: slots.capacity,
            lead: minutes(slots.lead_minutes),
            ahead: minutes(slots.days_ahead.saturating_mul(24 * 60)),
        })
    }

    /// Who must or may be vouched for in single queues.
    fn queue_auth(&mut self, table: &TenantTable) -> BTreeMap<QueueId, AuthMode> {
        let own = table.queue.iter().filter_map(|queue| Some((queue.id.clone(), queue.policy.as_ref()?.auth?)));
        let own: BTreeMap<_, _> = own.collect();
        if own.values().any(|mode| *mode == AuthMode::Required) && table.portal_key.is_empty() {
            self.says(table.id.span(), "a queue's auth = \"required\" needs a portal_key");
        }
        own
    }

    /// The tenant's policy with what each queue has of its own.
    fn queue_policies(&mut self, table: &TenantTable) -> BTreeMap<QueueId, QueuePolicy> {
        let mut found = BTreeMap::new();
        for queue in &table.queue {
            if let Some(own) = &queue.policy {
                let merged = own.over(&table.policy);
                let policy = self.policy(table, &merged).of_queue();
                let (disposition, entry_mode) = (own.disposition, own.entry_mode);
                found.insert(queue.id.clone(), QueuePolicy { disposition, entry_mode, ..policy });
            }
        }
        found
    }

    fn policy(&mut self, table: &TenantTable, policy: &PolicyTable) -> Policy {
        let mut aftermath = |of: &AftermathTable| -> Aftermath {
            let known = |reason: &ReasonCode| table.reason_codes.contains(reason);
            if let Some(reason) = of.not_ready.as_ref().filter(|reason| !known(reason)) {
                self.says(table.id.span(), format!("`{reason}` in policy is not among reason_codes"));
            }
            Aftermath {
                not_ready: of.not_ready.clone(),
                auto_return: of.auto_return_seconds.map(secs),
                cool_off: secs(of.cool_off_seconds),
                priority: of.priority,
            }
        };
        Policy {
            offer_timeout: secs(policy.offer_seconds.max(1)),
            on_no_answer: aftermath(&policy.on_no_answer),
            on_reject: aftermath(&policy.on_reject),
            on_media_error: aftermath(&policy.on_media_error),
            wrap_up_timeout: secs(policy.wrap_up_seconds),
            disposition: policy.disposition,
            agent_reconnect_grace: secs(policy.reconnect_grace_seconds),
            voice_exclusive: policy.voice_exclusive,
            ageing: Some(secs(policy.ageing_seconds)).filter(|step| *step > Millis(0)),
            sticky: Sticky { enabled: policy.sticky, timeout: secs(policy.sticky_seconds) },
        }
    }

    fn oidc(&mut self, table: &OidcTable, tenants: &[Tenant]) -> OidcProvider {
        if !fetch::is_address(&table.issuer) {
            self.about("oidc.issuer", "must be an https address (http only on this machine)");
        }
        if !table.scopes.iter().any(|scope| scope == "openid") {
            self.about("oidc.scopes", "must hold \"openid\"");
        }
        if table.group.is_empty() {
            self.about("oidc.issuer", "without [[oidc.group]] nobody could sign in");
        }
        if let Some(path) = table.ca_file.as_ref().filter(|path| !path.is_file()) {
            self.about("oidc.ca_file", format!("{} is not a readable file", path.display()));
        }
        let client_secret = match (&table.client_secret, &table.client_secret_file) {
            (Some(_), Some(path)) => {
                self.says(path.span(), "give either client_secret or client_secret_file");
                None
            }
            (Some(secret), None) => Some(secret.clone()),
            (None, Some(path)) => self.secret_file(path).map(Secret::new),
            (None, None) => None,
        };
        let groups = table.group.iter().map(|group| self.oidc_group(group, tenants)).collect();
        OidcProvider {
            issuer: table.issuer.clone(),
            name: table.name.clone(),
            client_id: table.client_id.clone(),
            client_secret,
            scopes: table.scopes.clone(),
            groups_claim: table.groups_claim.clone(),
            ca_file: table.ca_file.clone(),
            groups,
        }
    }

    fn oidc_group(&mut self, table: &OidcGroupTable, tenants: &[Tenant]) -> OidcGroup {
        let tenant = table.tenant.as_ref().map(|tenant| tenant.get_ref().clone());
        if let Some(named) = table.tenant.as_ref()
            && !tenants.iter().any(|known| &known.core.id == named.get_ref())
        {
            self.says(named.span(), format!("there is no tenant `{}`", named.get_ref()));
        }
        if (table.role == Role::Operator) != tenant.is_none() {
            self.about("oidc.group", "an operator belongs to no tenant, everybody else to one");
        }
        OidcGroup { group: table.group.clone(), role: table.role, tenant }
    }
}

pub(super) fn secs(seconds: u32) -> Millis {
    Millis::from_secs(i64::from(seconds))
}

fn intervals(hours: &[HoursTable]) -> Vec<OpenInterval> {
    let interval = |entry: &HoursTable| {
        let (from, to) = (entry.from.0, entry.to.0);
        entry.days.iter().map(move |&day| OpenInterval { day, from, to }).collect::<Vec<_>>()
    };
    hours.iter().flat_map(interval).collect()
}

fn hours(table: &TenantTable) -> Hours {
    Hours {
        week: intervals(&table.hours),
        holidays: table
            .holiday
            .iter()
            .map(|holiday| Holiday {
                date: holiday.date.0,
                name: holiday.name.clone(),
                open: holiday.open.iter().map(|(from, to)| (from.0, to.0)).collect(),
            })
            .collect(),
        closure: None,
        at_closing: table.at_closing,
    }
}
