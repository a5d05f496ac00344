//! A foreign telephone on encrypted legs: baresip's own SRTP against ours, tones measured at both ends. Signalling is just
//! enough SIP (RFC 3261) to carry the descriptions.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringback_media::testing::tone::{Tone, level};
use ringback_media::{
    Codec, Decoder, Encryption, Frame, FrameSink, LegKey, Media, MediaConfig, MediaError, Pcm8k, RtpTerms, SdpError,
};

const LEG: LegKey = LegKey(1);
const PHONE_TONE: f64 = 1300.0;
const OUR_TONE: f64 = 700.0;
const PATIENCE: Duration = Duration::from_secs(10);

/// One baresip in a folder of its own.
struct Phone {
    child: Child,
    folder: PathBuf,
    sip: u16,
    control: u16,
}

impl Phone {
    /// `encryption`: its `mediaenc`, empty for none.
    fn start(name: &str, encryption: &str) -> Phone {
        Phone::speaking(name, encryption, Codec::Pcmu)
    }

    fn speaking(name: &str, encryption: &str, codec: Codec) -> Phone {
        let folder = std::env::temp_dir().join(format!("ringback-baresip-{}-{name}", std::process::id()));
        let heard = folder.join("heard");
        fs::create_dir_all(&heard).unwrap();
        let (rate, channels) = match codec {
            Codec::Pcmu | Codec::Pcma => (8000, 1),
            Codec::G722 => (16_000, 1),
            Codec::Opus => (48_000, 2),
        };
        write_wav(&folder.join("tone.wav"), (rate, channels), &tone(rate, channels));
        let (sip, control, media) = (free_udp(), free_tcp(), free_udp() & !1);
        // Encryption before accounts: they look it up when they are read.
        let modules = ["g711", "g722", "opus", "srtp", "account", "menu", "ctrl_tcp", "aufile", "aubridge", "sndfile"];
        let modules: String = modules.iter().map(|module| format!("module {module}.so\n")).collect();
        let paths = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
        let path = paths.into_iter().find(|path| Path::new(path).is_dir()).unwrap_or(paths[0]);
        let (tone, heard) = (folder.join("tone.wav"), heard.display());
        let config = format!(
            "sip_listen 127.0.0.1:{sip}\nnet_interface 127.0.0.1\naudio_source aufile,{}\naudio_player aubridge,quiet\n\
             audio_alert aubridge,quiet\naudio_srate {rate}\naudio_channels {channels}\nausrc_format s16\nauplay_format s16\n\
             rtp_ports {media}-{}\nsnd_path {heard}\nctrl_tcp_listen 127.0.0.1:{control}\n{modules}module_path {path}\n",
            tone.display(),
            media + 20
        );
        fs::write(folder.join("config"), config).unwrap();
        let encryption = if encryption.is_empty() { String::new() } else { format!(";mediaenc={encryption}") };
        let codec = codec.name();
        let account = format!(
            "<sip:phone@127.0.0.1>;regint=0;answermode=auto;audio_codecs={codec}/{rate}/{channels}{encryption}\n"
        );
        fs::write(folder.join("accounts"), account).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(&folder)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("this test needs baresip (Debian: baresip-core)");
        let phone = Phone { child, folder, sip, control };
        let ready = || fs::read_to_string(phone.folder.join("log")).is_ok_and(|log| log.contains("baresip is ready"));
        let until = Instant::now() + PATIENCE;
        while !ready() {
            assert!(Instant::now() < until, "baresip did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        phone
    }

    fn dial(&self, port: u16) {
        let body = format!(r#"{{"command":"dial","params":"sip:us@127.0.0.1:{port}"}}"#);
        let mut control = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        write!(control, "{}:{body},", body.len()).unwrap();
    }

    /// Hangs up by ending; then what it heard is in a file.
    fn heard(mut self, line: &Line) -> Vec<i16> {
        let ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        line.hung_up();
        self.child.wait().unwrap();
        let files = fs::read_dir(self.folder.join("heard")).unwrap().flatten().map(|entry| entry.path());
        let file = files.filter(|path| path.to_string_lossy().ends_with("-dec.wav")).max();
        read_wav(&fs::read(file.expect("baresip heard nothing")).unwrap())
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_udp() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn free_tcp() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A minute of its tone, the same in each channel: each sample of 8 kHz so often, which adds nothing below 4 kHz.
fn tone(rate: u32, channels: u16) -> Vec<i16> {
    let samples = Tone::new(PHONE_TONE, 0.25).samples(8000 * 60);
    samples
        .iter()
        .flat_map(|sample| std::iter::repeat_n(*sample, (rate / 8000) as usize * usize::from(channels)))
        .collect()
}

fn write_wav(path: &Path, (rate, channels): (u32, u16), samples: &[i16]) {
    let bytes = (samples.len() * 2) as u32;
    let mut out = b"RIFF".to_vec();
    out.extend((bytes + 36).to_le_bytes());
    out.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((2 * rate * u32::from(channels)).to_le_bytes());
    out.extend((2 * channels).to_le_bytes());
    out.extend(b"\x10\0data");
    out.extend(bytes.to_le_bytes());
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    fs::write(path, out).unwrap();
}

fn read_wav(bytes: &[u8]) -> Vec<i16> {
    let data = bytes.windows(4).position(|word| word == b"data").expect("a WAV") + 8;
    // The tones lie far below 4 kHz: of a higher rate every second sample, or third …, is enough.
    let rate = u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]);
    let samples = bytes[data..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    let channels = usize::from(bytes[22]);
    samples.step_by(channels * (rate / 8000).max(1) as usize).collect()
}

/// Our side of the signalling.
struct Line(UdpSocket);

impl Line {
    fn open() -> Line {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Line(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Calls the phone; gives the final status and its description.
    fn call(&self, phone: &Phone, offer: &str) -> (u16, String) {
        let to = SocketAddr::from(([127, 0, 0, 1], phone.sip));
        let (port, target) = (self.port(), format!("sip:phone@127.0.0.1:{}", phone.sip));
        let request = |method: &str, branch: &str, to_tag: &str, rest: &str| {
            format!(
                "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch}\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:us@127.0.0.1>;tag=us\r\nTo: <sip:phone@127.0.0.1>{to_tag}\r\n\
                 Call-ID: call-{port}\r\nCSeq: 1 {method}\r\nContact: <sip:us@127.0.0.1:{port}>\r\n{rest}"
            )
        };
        let body = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}", offer.len());
        self.0.send_to(request("INVITE", "one", "", &body).as_bytes(), to).unwrap();
        loop {
            let (message, _) = self.hear();
            let status: u16 = message.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            if !message.starts_with("SIP/2.0") || status < 200 {
                continue;
            }
            let to_line = header(&message, "To");
            let tag = to_line.find(";tag=").map_or("", |at| &to_line[at..]);
            let branch = if status < 300 { "two" } else { "one" };
            self.0.send_to(request("ACK", branch, tag, "Content-Length: 0\r\n\r\n").as_bytes(), to).unwrap();
            return (status, body_of(&message));
        }
    }

    /// Waits for the phone's INVITE.
    fn invited(&self) -> (String, SocketAddr) {
        loop {
            let (message, from) = self.hear();
            if message.starts_with("INVITE") {
                return (message, from);
            }
        }
    }

    fn answer(&self, invite: &str, to: SocketAddr, status: &str, description: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "Call-ID", "CSeq"] {
            text.push_str(&format!("{name}: {}\r\n", header(invite, name)));
        }
        text.push_str(&format!(
            "To: {};tag=us\r\nContact: <sip:us@127.0.0.1:{}>\r\n",
            header(invite, "To"),
            self.port()
        ));
        text.push_str(&format!(
            "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{description}",
            description.len()
        ));
        self.0.send_to(text.as_bytes(), to).unwrap();
    }

    /// Waits for the phone's BYE and lets it go.
    fn hung_up(&self) {
        loop {
            let (message, from) = self.hear();
            if message.starts_with("BYE") {
                let lines = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| (name, header(&message, name)));
                let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let answer = format!("SIP/2.0 200 OK\r\n{lines}Content-Length: 0\r\n\r\n");
                self.0.send_to(answer.as_bytes(), from).unwrap();
                return;
            }
        }
    }

    fn hear(&self) -> (String, SocketAddr) {
        let mut buffer = [0; 8192];
        let (length, from) = self.0.recv_from(&mut buffer).expect("an answer from baresip");
        (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let found = message.lines().filter_map(|line| line.split_once(':'));
    let mut found = found.filter(|(field, _)| field.trim().eq_ignore_ascii_case(name));
    found.next().map_or("", |(_, value)| value.trim())
}

fn body_of(message: &str) -> String {
    message.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned())
}

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<(Decoder, Vec<i16>)>>);

impl FrameSink for Tape {
    fn frame(&mut self, frame: Frame<'_>) {
        let (decoder, samples) = &mut *self.0.lock().unwrap();
        decoder.decode(frame.codec, frame.payload, samples);
    }
    fn mark(&mut self, _: &str, _: bool, _: Instant) {}
    fn finish(&mut self) {}
}

fn media(first_port: u16) -> (Media, tokio::runtime::Runtime) {
    let config = MediaConfig { rtp_ports: first_port..=first_port + 9, ..MediaConfig::default() };
    let (media, mut events) = Media::start(config).unwrap();
    std::thread::spawn(move || while events.blocking_recv().is_some() {});
    (media, tokio::runtime::Builder::new_current_thread().build().unwrap())
}

/// Two seconds of both tones, measured at both ends.
fn both_hear(media: Media, runtime: &tokio::runtime::Runtime, phone: Phone, line: &Line) {
    let tape = Tape::default();
    media.record(LEG, Box::new(tape.clone()));
    media.play(LEG, Arc::new(Pcm8k(Tone::new(OUR_TONE, 0.25).samples(8000))), true, 1);
    std::thread::sleep(Duration::from_secs(2));
    let stats = runtime.block_on(media.leg_stats(LEG)).unwrap();
    let at_phone = phone.heard(line);
    media.shutdown();
    let at_us = tape.0.lock().unwrap().1.clone();
    assert!(at_us.len() > 8000, "only {} samples: {stats:?}", at_us.len());
    assert!(level(&at_us[at_us.len() / 2..], PHONE_TONE) > 0.2, "{}", level(&at_us, PHONE_TONE));
    let later = &at_phone[at_phone.len() / 2..];
    assert!(level(later, OUR_TONE) > 0.2, "the phone heard {}", level(later, OUR_TONE));
    assert_eq!((stats.dropped_by_format, stats.lost), (0, 0));
}

#[test]
fn baresip_is_called_with_encryption_required() {
    let phone = Phone::start("called", "srtp-mand");
    let (media, runtime) = media(31_800);
    let offer = runtime
        .block_on(media.open_rtp_on(LEG, RtpTerms { encryption: Encryption::Required, ..RtpTerms::default() }))
        .unwrap();
    assert!(offer.contains("RTP/SAVP "), "{offer}");
    let line = Line::open();
    let (status, answer) = line.call(&phone, &offer);
    assert_eq!(status, 200);
    assert!(answer.contains("RTP/SAVP ") && answer.contains("a=crypto:"), "{answer}");
    media.apply_answer(LEG, answer);
    both_hear(media, &runtime, phone, &line);
}

#[test]
fn baresip_calls_and_is_answered_with_encryption() {
    for (name, encryption, ours) in
        [("mandatory", "srtp-mand", Encryption::Optional), ("optional", "srtp", Encryption::Required)]
    {
        let phone = Phone::start(name, encryption);
        let (media, runtime) = media(if ours == Encryption::Optional { 31_820 } else { 31_840 });
        let line = Line::open();
        phone.dial(line.port());
        let (invite, from) = line.invited();
        let terms = RtpTerms { encryption: ours, ..RtpTerms::default() };
        let answer = runtime.block_on(media.answer_rtp_on(LEG, body_of(&invite), terms)).unwrap();
        assert!(answer.contains("a=crypto:"), "{answer}");
        line.answer(&invite, from, "200 OK", &answer);
        both_hear(media, &runtime, phone, &line);
    }
}

#[test]
fn baresip_without_encryption_is_refused_when_it_is_required_and_refuses_us() {
    let phone = Phone::start("plain", "");
    let (media, runtime) = media(31_860);
    let terms = RtpTerms { encryption: Encryption::Required, ..RtpTerms::default() };
    let line = Line::open();
    phone.dial(line.port());
    let (invite, from) = line.invited();
    let refused = runtime.block_on(media.answer_rtp_on(LEG, body_of(&invite), terms));
    assert_eq!(refused, Err(MediaError::Sdp(SdpError::Unencrypted)));
    line.answer(&invite, from, "488 Not Acceptable Here", "");
    // The other way round: whatever it answers to an offer of SRTP alone, nothing plain is taken or sent.
    let offer = runtime.block_on(media.open_rtp_on(LEG, terms)).unwrap();
    let (status, answer) = Line::open().call(&phone, &offer);
    if status == 200 {
        media.apply_answer(LEG, answer);
        std::thread::sleep(Duration::from_millis(500));
    }
    let stats = runtime.block_on(media.leg_stats(LEG)).unwrap();
    assert_eq!((stats.packets_in, stats.packets_out), (0, 0), "answered {status}");
}

/// Its coder of G.722 is not ours: what we make of a prompt it must understand, and we what it makes of a tone.
#[test]
fn baresip_speaks_g722_alone() {
    let phone = Phone::speaking("wideband", "", Codec::G722);
    let (media, runtime) = media(31_880);
    let offer = runtime.block_on(media.open_rtp(LEG)).unwrap();
    assert!(offer.contains("RTP/AVP 0 8 9 111 101\r\n"), "{offer}");
    let line = Line::open();
    let (status, answer) = line.call(&phone, &offer);
    assert_eq!(status, 200);
    assert!(answer.contains("G722/8000") && !answer.contains("PCM"), "{answer}");
    media.apply_answer(LEG, answer);
    both_hear(media, &runtime, phone, &line);
}

/// libopus at the other end, from 48 kHz in two channels.
#[test]
fn baresip_speaks_opus_alone() {
    let phone = Phone::speaking("opus", "", Codec::Opus);
    let (media, runtime) = media(31_900);
    let offer = runtime.block_on(media.open_rtp(LEG)).unwrap();
    let line = Line::open();
    let (status, answer) = line.call(&phone, &offer);
    assert_eq!(status, 200);
    assert!(answer.contains("opus/48000/2") && !answer.contains("PCM"), "{answer}");
    media.apply_answer(LEG, answer);
    both_hear(media, &runtime, phone, &line);
}
