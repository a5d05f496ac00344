//! The carrier in the box: a SIP server on loopback that plays every customer, by the dialled number's last digits.

use std::{collections::HashMap, net::SocketAddr, ops::RangeInclusive, sync::Arc, time::Duration};

use ringback_media::{LegKey, Media, MediaConfig, MediaEvent, Pcm8k};
use ringback_signaling::{CallKey, Signaling, SignalingConfig, SignalingEvent};
use tokio::sync::mpsc;

use crate::start::RunError;

/// Calls the box takes at one time.
const MAX_CALLS: usize = 100;
/// How long an ordinary customer lets it ring.
const ORDINARY_RING: Duration = Duration::from_secs(2);
const SLOW_RING: Duration = Duration::from_secs(15);

/// Where the box listens.
#[derive(Debug, Clone)]
pub struct CarrierConfig {
    pub sip: SocketAddr,
    pub rtp_ports: RangeInclusive<u16>,
}

impl Default for CarrierConfig {
    fn default() -> Self {
        Self { sip: SocketAddr::from(([127, 0, 0, 1], 0)), rtp_ports: 35000..=35999 }
    }
}

/// A carrier that runs until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Carrier {
    /// Where its SIP server listens (UDP).
    pub address: SocketAddr,
}

/// What a customer does when called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Customer {
    Answers { after: Duration, speaks: bool },
    NeverAnswers,
    Refuses(u16),
}

impl Customer {
    fn behind(number: &str) -> Self {
        let digits = number.get(number.len().saturating_sub(4)..).unwrap_or("");
        match digits {
            "0100" => Self::Answers { after: ORDINARY_RING, speaks: true },
            "0101" => Self::Refuses(486),
            "0102" => Self::NeverAnswers,
            "0103" => Self::Refuses(603),
            "0104" => Self::Answers { after: SLOW_RING, speaks: false },
            _ => Self::Answers { after: ORDINARY_RING, speaks: false },
        }
    }
}

/// Opens the box on loopback.
pub async fn start(config: CarrierConfig) -> Result<Carrier, RunError> {
    let failed = |what: String| RunError::Config(format!("the carrier in the box does not start: {what}"));
    let speech = include_bytes!("../../prompts/demo/carrier_speech.wav");
    let (_, _, samples) = ringback_recorder::wav::decode(speech).map_err(|error| failed(error.to_string()))?;
    let signaling = SignalingConfig {
        udp_bind: Some(config.sip),
        user_agent: "Ringback carrier in a box".to_owned(),
        accept_inbound_from: vec![config.sip.ip().into()],
        ..SignalingConfig::default()
    };
    let (signaling, calls) = Signaling::start(signaling).await.map_err(|error| failed(error.to_string()))?;
    let address = signaling.udp_addr().ok_or_else(|| failed("no address".to_owned()))?;
    let media = MediaConfig {
        webrtc_bind: SocketAddr::new(config.sip.ip(), 0),
        rtp_bind: config.sip.ip(),
        rtp_advertised: config.sip.ip(),
        rtp_ports: config.rtp_ports,
        silence_timeout: Duration::from_secs(3600),
        ..MediaConfig::default()
    };
    let (media, sounds) = Media::start(media)?;
    let (picked_up, pick_ups) = mpsc::channel(MAX_CALLS);
    let carrying = Carrying { signaling, media, speech: Arc::new(Pcm8k(samples)), calls: HashMap::new(), picked_up };
    tokio::spawn(carrying.run(calls, sounds, pick_ups));
    tracing::info!(%address, "the carrier in the box listens");
    Ok(Carrier { address })
}

struct Carrying {
    signaling: Signaling,
    media: Media,
    speech: Arc<Pcm8k>,
    calls: HashMap<CallKey, Call>,
    picked_up: mpsc::Sender<CallKey>,
}

/// One call that rings or is answered.
struct Call {
    offer: String,
    speaks: bool,
}

impl Carrying {
    async fn run(
        mut self,
        mut calls: mpsc::Receiver<SignalingEvent>,
        mut sounds: ringback_media::MediaEvents,
        mut pick_ups: mpsc::Receiver<CallKey>,
    ) {
        loop {
            tokio::select! {
                event = calls.recv() => match event {
                    Some(event) => self.on_call(event).await,
                    None => return,
                },
                event = sounds.recv() => match event {
                    // What was to be said is said: from now on the customer echoes.
                    Some(MediaEvent::PromptFinished { leg, .. }) => self.media.echo(leg, true),
                    Some(_) => {}
                    None => return,
                },
                Some(key) = pick_ups.recv() => self.pick_up(key).await,
            }
        }
    }

    async fn on_call(&mut self, event: SignalingEvent) {
        match event {
            SignalingEvent::Incoming { key, to_user, sdp, .. } => self.incoming(key, &to_user, sdp),
            SignalingEvent::Answered { key, .. } => {
                let Some(call) = self.calls.get(&key) else { return };
                if call.speaks {
                    self.media.play(LegKey(key.0), self.speech.clone(), false, 1);
                } else {
                    self.media.echo(LegKey(key.0), true);
                }
            }
            SignalingEvent::RemoteSdp { key, sdp } => {
                if let Ok(answer) = self.media.answer_rtp(LegKey(key.0), sdp).await {
                    self.signaling.accept_reinvite(key, answer);
                }
            }
            SignalingEvent::Ended { key, .. } | SignalingEvent::Failed { key, .. } => {
                self.calls.remove(&key);
                self.media.close(LegKey(key.0));
            }
            _ => {}
        }
    }

    fn incoming(&mut self, key: CallKey, number: &str, sdp: Option<String>) {
        let Some(offer) = sdp.filter(|_| self.calls.len() < MAX_CALLS) else {
            return self.signaling.reject(key, 503);
        };
        let customer = Customer::behind(number);
        tracing::info!(?customer, "the carrier in the box is called");
        match customer {
            Customer::Refuses(status) => self.signaling.reject(key, status),
            Customer::NeverAnswers => self.signaling.ring(key, 180, None),
            Customer::Answers { after, speaks } => {
                self.signaling.ring(key, 180, None);
                self.calls.insert(key, Call { offer, speaks });
                let picked_up = self.picked_up.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    // Nobody listens any more when the demo has ended.
                    let _ = picked_up.send(key).await;
                });
            }
        }
    }

    async fn pick_up(&mut self, key: CallKey) {
        let Some(call) = self.calls.get(&key) else { return };
        match self.media.answer_rtp(LegKey(key.0), call.offer.clone()).await {
            Ok(answer) => self.signaling.accept(key, answer),
            Err(error) => {
                tracing::warn!(%error, "the carrier in the box cannot answer");
                self.calls.remove(&key);
                self.signaling.reject(key, 488);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digits_say_who_is_called() {
        assert_eq!(Customer::behind("+19165550101"), Customer::Refuses(486));
        assert_eq!(Customer::behind("+19165550103"), Customer::Refuses(603));
        assert_eq!(Customer::behind("+19165550102"), Customer::NeverAnswers);
        assert!(matches!(Customer::behind("+19165550100"), Customer::Answers { speaks: true, .. }));
        assert!(matches!(Customer::behind("+19165550104"), Customer::Answers { after: SLOW_RING, .. }));
        for other in ["", "7", "+14155552671", "é"] {
            assert!(matches!(Customer::behind(other), Customer::Answers { speaks: false, .. }), "{other}");
        }
    }
}
