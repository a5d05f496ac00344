//! Carries out what the core commanded, one tenant's deeds in their order.

use std::{sync::Arc, time::Duration};

use ringback_media::LegKey;
use ringback_routing::{
    contact::AttemptResult,
    event::{DenialReason, Event},
    ids::*,
    output::{Command, Deed, MarkKind, Party, PromptName},
    time::{Millis, Timestamp},
};
use ringback_signaling::{CallKey, CallRequest};
use tokio::sync::mpsc;

use crate::{
    gate::{Dialling, Verdict},
    legs::{DialogStage, Leg, LegKind},
    names::SipNames,
    plant::Plant,
    quality, recordings,
    thirds::Told,
};

pub(crate) struct Hands {
    pub tenant: TenantId,
    pub plant: Arc<Plant>,
}

/// A call that is to be placed.
pub(crate) struct Outgoing {
    pub leg: LegId,
    pub contact: ContactId,
    pub number: String,
    pub ring_timeout: Millis,
}

impl Hands {
    pub async fn run(self, mut deeds: mpsc::Receiver<Command>) {
        while let Some(command) = deeds.recv().await {
            tracing::debug!(tenant = %self.tenant, id = %command.id, "deed {}", name_of(&command.deed));
            self.carry_out(command).await;
        }
    }

    pub(crate) async fn carry_out(&self, command: Command) {
        let media = &self.plant.media;
        match command.deed {
            Deed::ReserveChannel { contact, number_key, trunks } => {
                self.reserve(command.id, contact, &number_key, &trunks).await;
            }
            Deed::ReleaseChannel { contact } => self.release_channel(contact),
            Deed::PresentOffer { .. } => self.plant.metrics.offers.add(1),
            // The pages read both from the agent's and the customer's view.
            Deed::RevokeOffer { .. } => {}
            Deed::NotifyCustomer { contact }
            | Deed::OpenChat { contact, .. }
            | Deed::LeaveChat { contact, .. }
            | Deed::CloseChat { contact, .. } => self.tell_room(contact),
            Deed::PlaceLeg { leg, contact, trunk, number, ring_timeout, .. } => {
                self.place(Outgoing { leg, contact, number, ring_timeout }, trunk).await;
            }
            Deed::PlaceThird { leg, contact, trunks, number, ring_timeout, context, code } => {
                let call = Outgoing { leg, contact, number, ring_timeout };
                self.place_third(call, &trunks, Told { context, code }).await;
            }
            Deed::AnswerLeg { leg, contact, number_key } => self.answer(leg, contact, &number_key).await,
            Deed::RefuseLeg { leg, why } => self.refuse(leg, why),
            Deed::CheckCode { leg, number, code } => self.check_code(leg, number, code).await,
            Deed::ReleaseLeg { leg } => self.release_leg(leg),
            Deed::AttachAgent { leg, contact, agent, session } => {
                self.attach(leg, contact, agent, session).await;
            }
            Deed::DetachAgent { leg } => self.detach(leg),
            Deed::PlayPrompt { leg, prompt, language, repeat, then_tell } => {
                self.play(leg, prompt, &language, repeat, then_tell).await;
            }
            Deed::PlayWords { leg, words, language, then_tell } => {
                self.play_words(leg, &words, &language, then_tell).await;
            }
            Deed::StopPrompt { leg } => self.with_media(leg, |key| media.stop_play(key)),
            Deed::Bridge { a, b } => self.bridge(a, b),
            Deed::Unbridge { a, b } => self.unbridge(a, b),
            Deed::Confer { contact, legs } => self.confer(contact, &legs),
            Deed::Disperse { legs, .. } => self.disperse(&legs),
            Deed::StartRecording { leg, contact, recording, party, contact_started } => {
                self.start_recording(leg, contact, recording, party, contact_started);
            }
            Deed::StopRecording { leg } => self.with_media(leg, |key| media.stop_record(key)),
            Deed::Mark { leg, mark, begin } => self.with_media(leg, |key| media.mark(key, mark_name(mark), begin)),
        }
    }

    /// Whoever follows a chat looks at its contact again.
    fn tell_room(&self, contact: ContactId) {
        if let Some(room) = self.plant.chats.find(&self.tenant, contact) {
            room.news();
        }
    }

    fn with_media(&self, leg: LegId, act: impl FnOnce(LegKey)) {
        let key = self.plant.books.legs().media_of(leg);
        if let Some(key) = key {
            act(key);
        }
    }

    async fn reserve(&self, question: CommandId, contact: ContactId, number_key: &str, trunks: &[TrunkId]) {
        let verdict = self.judged(contact, None, None).await;
        let now = self.plant.clock.now();
        let answer = match verdict {
            Verdict::NotNow => Err(DenialReason::NotNow),
            Verdict::Never => Err(DenialReason::NotAllowed),
            Verdict::Pass if self.is_still_in_call(contact) => Err(DenialReason::NumberInCall),
            Verdict::Pass => self.plant.books.channels().reserve(&self.tenant, contact, number_key, trunks, now),
        };
        let event = match answer {
            Ok(trunk) => Event::ChannelGranted { contact, trunk, answers: Some(question) },
            Err(reason) => {
                let limits = &self.plant.limits;
                let retry = if reason == DenialReason::NotNow { limits.gate_retry } else { limits.channel_retry };
                let retry_after = Millis(i64::try_from(retry.as_millis()).unwrap_or(2000));
                Event::ChannelDenied { contact, answers: Some(question), reason, retry_after }
            }
        };
        self.plant.tell(&self.tenant, event).await;
    }

    /// What the gate says of the contact's number, or of `number` when it is about to be dialled. A contact that cannot
    /// be read is not called.
    pub(crate) async fn judged(&self, contact: ContactId, number: Option<&str>, leg: Option<LegId>) -> Verdict {
        let contact = match self.plant.store.contact(&self.tenant, contact).await {
            Ok(Some(contact)) => contact,
            Ok(None) => return Verdict::Never,
            Err(error) => {
                tracing::error!(%error, "the gate could not read a contact");
                return Verdict::NotNow;
            }
        };
        let number = number.unwrap_or(&contact.customer.number);
        let now = self.plant.clock.now();
        let judgement = self.plant.gate.judge(Dialling { tenant: &self.tenant, contact: &contact, number, leg, now });
        let patience = self.plant.limits.gate_patience;
        tokio::time::timeout(patience, judgement).await.unwrap_or_else(|_| {
            tracing::error!("the gate took too long: no call is placed");
            Verdict::NotNow
        })
    }

    /// The contact's last dialog is being taken down: its grant ends with it and is not handed out again.
    fn is_still_in_call(&self, contact: ContactId) -> bool {
        let book = self.plant.books.legs();
        let leg = book.customer_leg(&self.tenant, contact).and_then(|leg| book.get(leg));
        leg.is_some_and(|leg| matches!(leg.kind, LegKind::Customer { owes_channel: true, .. }))
    }

    fn release_channel(&self, contact: ContactId) {
        {
            let mut book = self.plant.books.legs();
            let leg = book.customer_leg(&self.tenant, contact);
            if let Some(Leg { kind: LegKind::Customer { owes_channel, .. }, .. }) =
                leg.and_then(|leg| book.get_mut(leg))
            {
                *owes_channel = true;
                return;
            }
        }
        self.plant.books.channels().release(&self.tenant, contact);
    }

    async fn place(&self, call: Outgoing, trunk: TrunkId) {
        match self.judged(call.contact, Some(&call.number), Some(call.leg)).await {
            Verdict::Pass => {}
            Verdict::NotNow => return self.place_failed(call.leg, AttemptResult::Failed).await,
            Verdict::Never => return self.place_failed(call.leg, AttemptResult::NotAllowed).await,
        }
        let kind = LegKind::Customer { dialog: DialogStage::Calling, owes_channel: false, early: false };
        self.dial(call, trunk, kind, Vec::new()).await;
    }

    /// Sends the call out, with a media leg and a line in the books; false: it failed, and the core has been told.
    pub(crate) async fn dial(
        &self,
        call: Outgoing,
        trunk: TrunkId,
        kind: LegKind,
        extra_headers: Vec<(String, String)>,
    ) -> bool {
        let Outgoing { leg, contact, number, ring_timeout } = call;
        let key = LegKey(leg.0);
        let terms = self.plant.books.channels().sound(&trunk);
        let sdp = match self.plant.media.open_rtp_on(key, terms).await {
            Ok(sdp) => sdp,
            Err(error) => {
                tracing::error!(%leg, %error, "no media for a call that was to be placed");
                self.place_failed(leg, AttemptResult::Failed).await;
                return false;
            }
        };
        let entry = Leg { tenant: self.tenant.clone(), contact, kind, media: key, recording: None, bridged: None };
        self.plant.books.legs().insert(leg, entry);
        let names = SipNames::of(leg, &self.plant.node);
        let request = CallRequest {
            key: CallKey(leg.0),
            trunk: trunk.as_str().to_owned(),
            to_user: number,
            caller_id: self.plant.caller_id(&self.tenant),
            display_name: None,
            sdp,
            ring_timeout: Duration::from_millis(u64::try_from(ring_timeout.0).unwrap_or(0)),
            call_id: names.call_id,
            from_tag: names.from_tag,
            branch: names.branch,
            extra_headers,
        };
        let ring_until = std::time::Instant::now() + request.ring_timeout;
        self.plant.books.legs().placed(leg, request.clone(), ring_until);
        if let Err(error) = self.plant.signaling.place_call(request) {
            tracing::error!(%leg, %error, "the call could not be handed to the SIP endpoint");
            self.plant.books.legs().remove(leg);
            self.plant.media.close(key);
            self.place_failed(leg, AttemptResult::Failed).await;
            return false;
        }
        self.plant.metrics.calls_placed.add(1);
        self.plant.trunk_tally.placed(&trunk);
        true
    }

    pub(crate) async fn place_failed(&self, leg: LegId, result: AttemptResult) {
        self.plant.metrics.deeds_failed.add(1);
        let event = Event::LegFailed { leg, result, sip_status: None };
        self.plant.tell(&self.tenant, event).await;
    }

    /// The dialog's end is reported by the SIP endpoint; the books are closed then.
    fn release_leg(&self, leg: LegId) {
        let known = self.plant.books.legs().media_of(leg);
        if let Some(key) = known {
            self.plant.media.stop_record(key);
            self.plant.signaling.hang_up(CallKey(leg.0));
        }
    }

    async fn attach(&self, leg: LegId, contact: ContactId, agent: AgentId, session: SessionId) {
        let key = {
            let mut phones = self.plant.books.phones();
            phones.get_mut(&self.tenant, &agent).map(|phone| {
                phone.muted = false;
                phone.key
            })
        };
        let Some(key) = key else {
            tracing::warn!(%leg, %agent, "an agent without a phone was to be attached");
            self.plant.metrics.deeds_failed.add(1);
            return;
        };
        // The same leg again: the agent's tab changed, the media connection is the same.
        if let Some(Leg { kind: LegKind::Agent { session: of, .. }, .. }) = self.plant.books.legs().get_mut(leg) {
            *of = session;
            return;
        }
        let since = self.plant.media.leg_stats(key).await.unwrap_or_default();
        let kind = LegKind::Agent { agent, session, since };
        let entry = Leg { tenant: self.tenant.clone(), contact, kind, media: key, recording: None, bridged: None };
        self.plant.books.legs().insert(leg, entry);
        self.plant.media.mute(key, false);
    }

    fn detach(&self, leg: LegId) {
        let gone = self.plant.books.legs().remove(leg);
        if let Some(gone) = gone {
            quality::agent_left(&self.plant, leg, &gone);
            self.plant.media.stop_record(gone.media);
            self.plant.media.stop_play(gone.media);
            if let Some(other) = gone.bridged.and_then(|other| self.plant.books.legs().media_of(other)) {
                self.plant.media.unbridge(gone.media, other);
            }
            self.plant.media.leave(gone.media);
            self.plant.media.mute(gone.media, false);
        }
    }

    async fn play(&self, leg: LegId, prompt: PromptName, language: &str, repeat: bool, then_tell: bool) {
        let found = self.plant.prompts().find(&self.tenant, prompt, language).cloned();
        let (key, token) = {
            let mut book = self.plant.books.legs();
            let Some(key) = book.media_of(leg) else { return };
            let heard =
                found.as_ref().filter(|_| then_tell).map(|found| format!("{prompt:?} {language} {}", found.version));
            (key, book.prompt_token(leg, heard.map(|heard| heard.to_lowercase())))
        };
        match found {
            Some(found) => self.plant.media.play(key, found.samples, repeat, token),
            None => {
                tracing::warn!(tenant = %self.tenant, ?prompt, language, "there is no such prompt; silence is played");
                if then_tell {
                    self.plant.tell(&self.tenant, Event::PromptFinished { leg, heard: None }).await;
                }
            }
        }
    }

    async fn play_words(&self, leg: LegId, words: &[PromptName], language: &str, then_tell: bool) {
        let said = self.plant.prompts().sentence(&self.tenant, words, language);
        let (key, token) = {
            let mut book = self.plant.books.legs();
            let Some(key) = book.media_of(leg) else { return };
            (key, book.prompt_token(leg, Some("words".to_owned()).filter(|_| then_tell && said.is_some())))
        };
        match said {
            Some(said) => self.plant.media.play(key, Arc::new(said), false, token),
            None if then_tell => self.plant.tell(&self.tenant, Event::PromptFinished { leg, heard: None }).await,
            None => {}
        }
    }

    fn bridge(&self, a: LegId, b: LegId) {
        let mut book = self.plant.books.legs();
        let keys = (book.media_of(a), book.media_of(b));
        for (leg, other) in [(a, b), (b, a)] {
            if let Some(leg) = book.get_mut(leg) {
                leg.bridged = Some(other);
            }
        }
        drop(book);
        if let (Some(key_a), Some(key_b)) = keys {
            self.plant.media.bridge(key_a, key_b);
            self.plant.metrics.bridges.add(1);
            self.leave_to_carrier(a, b);
        }
    }

    fn unbridge(&self, a: LegId, b: LegId) {
        let mut book = self.plant.books.legs();
        let keys = (book.media_of(a), book.media_of(b));
        for leg in [a, b] {
            if let Some(leg) = book.get_mut(leg) {
                leg.bridged = None;
            }
        }
        drop(book);
        if let (Some(key_a), Some(key_b)) = keys {
            self.plant.media.unbridge(key_a, key_b);
        }
    }

    fn start_recording(
        &self,
        leg: LegId,
        contact: ContactId,
        recording: RecordingId,
        party: Party,
        contact_started: Timestamp,
    ) {
        let key = {
            let mut book = self.plant.books.legs();
            let Some(entry) = book.get_mut(leg) else { return };
            entry.recording = Some(recording);
            let key = entry.media;
            book.recording_opened(recording, self.tenant.clone(), leg);
            key
        };
        let now = self.plant.clock.now();
        let opening = recordings::Opening { leg, contact, recording, party, started: contact_started, now };
        let opened = recordings::open(&self.plant, &self.tenant, opening);
        self.plant.media.record(key, opened);
    }
}

fn mark_name(mark: MarkKind) -> &'static str {
    match mark {
        MarkKind::Announcement => "announcement",
        MarkKind::Hold => "hold",
        MarkKind::Pause => "pause",
        MarkKind::Transfer => "transfer",
    }
}

fn name_of(deed: &Deed) -> &'static str {
    match deed {
        Deed::ReserveChannel { .. } => "reserve_channel",
        Deed::ReleaseChannel { .. } => "release_channel",
        Deed::PresentOffer { .. } => "present_offer",
        Deed::RevokeOffer { .. } => "revoke_offer",
        Deed::PlaceLeg { .. } => "place_leg",
        Deed::PlaceThird { .. } => "place_third",
        Deed::Confer { .. } => "confer",
        Deed::Disperse { .. } => "disperse",
        Deed::AnswerLeg { .. } => "answer_leg",
        Deed::RefuseLeg { .. } => "refuse_leg",
        Deed::CheckCode { .. } => "check_code",
        Deed::ReleaseLeg { .. } => "release_leg",
        Deed::AttachAgent { .. } => "attach_agent",
        Deed::DetachAgent { .. } => "detach_agent",
        Deed::PlayPrompt { .. } => "play_prompt",
        Deed::PlayWords { .. } => "play_words",
        Deed::StopPrompt { .. } => "stop_prompt",
        Deed::Bridge { .. } => "bridge",
        Deed::Unbridge { .. } => "unbridge",
        Deed::StartRecording { .. } => "start_recording",
        Deed::StopRecording { .. } => "stop_recording",
        Deed::Mark { .. } => "mark",
        Deed::OpenChat { .. } => "open_chat",
        Deed::LeaveChat { .. } => "leave_chat",
        Deed::CloseChat { .. } => "close_chat",
        Deed::NotifyCustomer { .. } => "notify_customer",
    }
}
