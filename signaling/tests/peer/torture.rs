//! Messages with the faults and oddities that RFC 4475 and RFC 5118 name, in our own words.
//!
//! In a text `@T` is the transport, `@P` our port, `@I` an id of this case alone and `@L` the length of its body.

/// What is owed to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of these statuses.
    Status(&'static [u16]),
    /// A valid INVITE: somebody is called.
    Rings,
    Silence,
    /// Of a stream: its end cannot be told, so the connection ends.
    Cut,
}

use Wanted::{Cut, Rings, Silence, Status};

pub struct Case {
    pub name: &'static str,
    pub wanted: Wanted,
    /// When it is another thing over a stream.
    pub over_tcp: Option<Wanted>,
    text: String,
}

impl Case {
    fn new(name: &'static str, wanted: Wanted, text: impl Into<String>) -> Self {
        Self { name, wanted, over_tcp: None, text: text.into() }
    }

    fn but_over_tcp(self, wanted: Wanted) -> Self {
        Self { over_tcp: Some(wanted), ..self }
    }

    pub fn bytes(&self, transport: &str, port: u16, at: usize) -> Vec<u8> {
        let text = self.text.replace('\n', "\r\n");
        let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
        let id = format!("{at}-{}-{}", self.name.replace(' ', "-"), transport.to_ascii_lowercase());
        let text = text.replace("@T", transport).replace("@P", &port.to_string()).replace("@I", &id);
        text.replace("@L", &body.to_string()).into_bytes()
    }
}

const SDP: &str =
    "v=0\no=caller 29739 7272939 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 49217 RTP/AVP 0\n";

/// A whole request: start line, the headers a request must have, `more`, the body.
fn whole(start: &str, more: &str, body: &str) -> String {
    let method = start.split(' ').next().unwrap_or_default();
    let kind = if body.starts_with("v=0") { "Content-Type: application/sdp\n" } else { "" };
    format!(
        "{start}\nVia: SIP/2.0/@T 127.0.0.1:@P;branch=z9hG4bK@I\nMax-Forwards: 70\nFrom: <sip:caller@far.example>;tag=near\n\
         To: <sip:desk@office.example>\nCall-ID: @I@far.example\nCSeq: 8 {method}\nContact: <sip:caller@127.0.0.1:@P>\n{more}{kind}\
         Content-Length: @L\n\n{body}"
    )
}

fn invite(more: &str) -> String {
    whole("INVITE sip:desk@office.example SIP/2.0", more, SDP)
}

fn register(more: &str) -> String {
    whole("REGISTER sip:office.example SIP/2.0", more, "")
}

/// A valid request whose method is not ours is refused for that and for nothing else: as OPTIONS it is answered.
fn both(name: &'static str, text: &str) -> [Case; 2] {
    let options = text.replace("REGISTER", "OPTIONS").replace("MESSAGE", "OPTIONS");
    [Case::new(name, Status(&[405]), text), Case::new(name, Status(&[200]), options)]
}

/// Every request of RFC 4475.
pub fn rfc_4475() -> Vec<Case> {
    let mut cases = valid();
    cases.extend(unreadable());
    cases.extend(beyond_syntax());
    cases
}

/// §3.1.1: strange and right.
fn valid() -> Vec<Case> {
    let tortuous = "INVITE sip:desk@office.example;strangeparam SIP/2.0\nTO :\n sip:desk@office.example ;   @TO\nfrom   : \"Q \\\\\\\"\" \
         <sip:caller@far.example>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\nCall-ID: wsinv.@I\nContent-Length   : @L\ncseq: 0009\n  INVITE\n\
         Via  : SIP  /   2.0\n /@T\n    127.0.0.1 : @P ; branch = z9hG4bK@I\ns :\nNewFangledHeader:   newfangled value\n continued newfangled value\n\
         UnknownHeaderWithUnusualValue: ;;,,;;,;\nContent-Type: application/sdp\nRoute:\n <sip:office.example;lr;unknownwith=value;unknown-no-value>\n\
         v:  SIP  / 2.0  / TCP     spindle.example   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
         m:\"Quoted string \\\"\\\"\" <sip:caller@127.0.0.1:@P> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n\n";
    let tortuous = |to: &str| format!("{}{SDP}", tortuous.replace("@TO", to));
    let long = |what: &str| what.repeat(60);
    let mut cases = vec![
        Case::new("wsinv", Status(&[481]), tortuous("tag    = 1918181833n")),
        Case::new("wsinv without a dialog", Rings, tortuous("")),
        Case::new(
            "intmeth",
            Status(&[501]),
            whole(
                "!Odd-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@office.example SIP/2.0",
                "extensionHeader-!.%*+_`'~:\u{fe}\u{20ac}\u{441}\n",
                "",
            ),
        ),
        Case::new(
            "esc01",
            Rings,
            whole("INVITE sip:sips%3Adesk%40office.example@office.example SIP/2.0", "", SDP)
                .replace("From: <sip:caller@", "From: <sip:I%20have%20spaces@"),
        ),
        Case::new(
            "esc02",
            Status(&[501]),
            whole("RE%47IST%45R sip:office.example SIP/2.0", "", "").replace("CSeq: 8", "CSeq: 29344"),
        ),
        Case::new(
            "lwsdisp",
            Status(&[200]),
            whole("OPTIONS sip:desk@office.example SIP/2.0", "", "").replace("From: <", "From: caller<"),
        ),
        Case::new(
            "longreq",
            Rings,
            invite(&format!(
                "Unknown{}: {}\nVia: SIP/2.0/TCP {}.example\n",
                long("-Long"),
                long("unknown value; "),
                long("host")
            ))
            .replace("From: <", &format!("From: \"{}\" <", long("I have a user name "))),
        ),
        // In a datagram the second is left alone; in a stream it is the next one.
        Case::new(
            "dblreq",
            Status(&[405]),
            register("").replace("@L", "0")
                + &whole("OPTIONS sip:desk@office.example SIP/2.0", "", "").replace("@L", "0"),
        ),
        Case::new(
            "semiuri",
            Status(&[200]),
            whole("OPTIONS sip:user;par=u%40example.net@office.example SIP/2.0", "Accept: application/sdp\n", ""),
        ),
        Case::new(
            "transports",
            Status(&[200]),
            whole(
                "OPTIONS sip:desk@office.example SIP/2.0",
                "Via: SIP/2.0/SCTP t2.example;branch=z9hG4bKa\nVia: SIP/2.0/TLS t3.example;branch=z9hG4bKb\n\
                 Via: SIP/2.0/UNKNOWN t4.example;branch=z9hG4bKc\n",
                "",
            ),
        ),
    ];
    cases.extend(both(
        "escnull",
        &register("Contact: <sip:%00@127.0.0.1:@P>\nContact: <sip:%00%00@127.0.0.1:@P>\n")
            .replace("From: <sip:caller", "From: sip:null-%00-null")
            .replace(">;tag=near", ";tag=near"),
    ));
    let parts = "--boundary-1\nContent-Type: text/plain\n\nHello\n--boundary-1\nContent-Type: application/octet-stream\n\n\u{1}\u{2}\0\u{7f}\n--boundary-1--\n";
    cases.extend(both(
        "mpart01",
        &whole("MESSAGE sip:desk@office.example SIP/2.0", "Content-Type: multipart/mixed;boundary=boundary-1\n", parts),
    ));
    cases
}

/// §3.1.2: not SIP, more or less.
fn unreadable() -> Vec<Case> {
    let options = || whole("OPTIONS sip:desk@office.example SIP/2.0", "", "");
    let target = |uri: &str| whole(&format!("INVITE {uri} SIP/2.0"), "", SDP);
    vec![
        Case::new(
            "badinv01",
            Status(&[400]),
            invite("")
                .replace("z9hG4bK@I\n", "z9hG4bK@I;;,;,,\n")
                .replace("Contact: ", "Contact: \"Joe\" <sip:joe@far.example>;;;;, "),
        ),
        Case::new("clerr", Status(&[400]), invite("").replace("Content-Length: @L", "Content-Length: 9999"))
            .but_over_tcp(Cut),
        Case::new("ncl", Status(&[400]), invite("").replace("Content-Length: @L", "Content-Length: -999"))
            .but_over_tcp(Cut),
        Case::new(
            "scalar02",
            Status(&[400]),
            register("Expires: 1000000000000000000000000000000000000\n")
                .replace("CSeq: 8 ", "CSeq: 36893488147419103232 ")
                .replace("Max-Forwards: 70", "Max-Forwards: 300"),
        ),
        Case::new("quotbal", Status(&[400]), invite("").replace("To: <sip:desk", "To: \"Mr. Unclosed <sip:desk")),
        Case::new("ltgtruri", Silence, target("<sip:desk@office.example>")),
        Case::new("lwsruri", Silence, target("sip:desk@office.example; lr")),
        Case::new("lwsstart", Silence, target(" sip:desk@office.example ")),
        Case::new("trws", Silence, options().replace(" SIP/2.0\nVia", " SIP/2.0  \nVia")),
        // What stands behind the question mark is not read.
        Case::new("escruri", Rings, target("sip:desk@office.example?Route=%3Csip:far.example%3E")),
        // A time nobody reads is no reason to refuse a call.
        Case::new("baddate", Rings, invite("Date: Fri, 01 Jan 2010 16:00:00 EST\n")),
        Case::new(
            "regbadct",
            Status(&[400, 405]),
            register("").replace(
                "Contact: <sip:caller@127.0.0.1:@P>",
                "Contact: sip:caller@far.example?Route=%3Csip:sip.example%3E",
            ),
        ),
        Case::new(
            "badaspec",
            Status(&[200, 400]),
            options()
                .replace("To: <sip:desk@office.example>", "To: \"Watson, Thomas\" < sip:t.watson@office.example >"),
        ),
        Case::new("baddn", Status(&[200, 400]), options().replace("From: <", "From: Bell, Alexander <")),
        Case::new(
            "badvers",
            Silence,
            options().replace(" SIP/2.0\nVia", " SIP/7.0\nVia").replace("Via: SIP/2.0", "Via: SIP/7.0"),
        ),
        Case::new("mismatch01", Status(&[400]), options().replace("CSeq: 8 OPTIONS", "CSeq: 8 INVITE")),
        Case::new(
            "mismatch02",
            Status(&[400, 501]),
            whole("NEWMETHOD sip:desk@office.example SIP/2.0", "", "").replace("8 NEWMETHOD", "8 INVITE"),
        ),
    ]
}

/// §3.2 to §3.4: transactions, what applications make of it, and peers of RFC 2543.
fn beyond_syntax() -> Vec<Case> {
    let options = |more: &str| whole("OPTIONS sip:desk@office.example SIP/2.0", more, "");
    let mut cases = vec![
        // No transaction can be told by that branch; it is the same one all the same.
        Case::new("badbranch", Status(&[200]), options("").replace("branch=z9hG4bK@I", "branch=z9hG4bK")),
        Case::new(
            "insuf",
            Status(&[400]),
            invite("").replace("From: <sip:caller@far.example>;tag=near\n", "").replace("To: <sip:desk@office.example>\n", "").replace("Call-ID: @I@far.example\n", ""),
        ),
        Case::new("unkscm", Status(&[416]), whole("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0", "", "")),
        Case::new("novelsc", Status(&[416]), whole("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0", "", "")),
        Case::new(
            "unksm2",
            Status(&[400, 405]),
            register("").replace("To: <sip:desk@office.example>", "To: <isbn:2983792873>").replace("From: <sip:caller@far.example>", "From: <http://far.example>").replace("Contact: <sip:caller@127.0.0.1:@P>", "Contact: <name:John_Smith>"),
        ),
        Case::new("bext01", Status(&[420]), options("Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis\n")),
        Case::new("invut", Status(&[415]), whole("INVITE sip:desk@office.example SIP/2.0", "Content-Type: application/unknownformat\n", "<audio><pcmu port=\"443\"/></audio>")),
        Case::new(
            "multi01",
            Status(&[400]),
            invite("").replace("CSeq: 8 INVITE\n", "CSeq: 8 INVITE\nCSeq: 59 OPTIONS\nFrom: \"Mallory\" <sip:mallory@far.example>;tag=other\nTo: <sip:other@office.example>\nCall-ID: other\nMax-Forwards: 5\n"),
        ),
        Case::new("mcl01", Status(&[400]), options("Content-Length: 13\n")).but_over_tcp(Cut),
        Case::new("zeromf", Status(&[200]), options("").replace("Max-Forwards: 70", "Max-Forwards: 0")),
        Case::new("sdp01", Status(&[406]), invite("Accept: text/nobodyKnowsThis\n")),
        Case::new(
            "inv2543",
            Rings,
            "INVITE sip:desk@office.example SIP/2.0\nVia: SIP/2.0/@T 127.0.0.1:@P\nFrom: <sip:caller@far.example>;tag=near\nTo: <sip:desk@office.example>\n\
             Call-ID: @I@far.example\nCSeq: 56 INVITE\nContact: <sip:caller@127.0.0.1:@P>\nContent-Type: application/sdp\nContent-Length: @L\n\n"
                .to_owned()
                + SDP,
        ),
    ];
    cases.extend(both("regaut01", &register("Authorization: NoOneKnowsThisScheme opaque-data=here\n")));
    cases.extend(both("cparam01", &register("Contact: sip:+19725552222@gw1.far.example;unknownparam\n")));
    cases.extend(both("cparam02", &register("Contact: <sip:+19725552222@gw1.far.example;unknownparam>\n")));
    cases.extend(both("regescrt", &register("Contact: <sip:user@far.example?Route=%3Csip:sip.far.example%3E>\n")));
    cases
}

/// The requests of RFC 5118. Its cases of SDP are taken as INVITEs whose body we carry and others read.
pub fn rfc_5118() -> Vec<Case> {
    let to = |uri: &str| register("").replace("REGISTER sip:office.example", &format!("REGISTER {uri}"));
    let via = |via: &str, more: &str| {
        let text = whole("OPTIONS sip:desk@[2001:db8::10] SIP/2.0", more, "");
        text.replace("SIP/2.0/@T 127.0.0.1:@P;branch=z9hG4bK@I", &format!("SIP/2.0/@T {via};branch=z9hG4bK@I"))
    };
    let six = SDP.replace("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::20");
    let two = format!("{SDP}c=IN IP6 2001:db8::1\nm=video 6003 RTP/AVP 31\nc=IN IP4 192.0.2.1\n");
    let call = |body: &str| whole("INVITE sip:desk@[2001:db8::10] SIP/2.0", "", body);
    let mut cases = vec![
        Case::new("ipv6-bad", Status(&[400]), to("sip:2001:db8::10").replace("REGISTER", "OPTIONS")),
        Case::new("via-received-param-with-delim", Status(&[200]), via("[2001:db8::9:1]:@P;received=[2001:db8::9:255]", "")),
        Case::new("via-received-param-no-delim", Status(&[200]), via("[2001:db8::9:1]:@P;received=2001:db8::9:255", "")),
        Case::new("ipv6-in-sdp", Rings, call(&six)),
        Case::new(
            "mult-ip-in-header",
            Status(&[481]),
            whole(
                "BYE sip:desk@host.office.example SIP/2.0",
                "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKx\nVia: SIP/2.0/TCP 192.0.2.16;received=2001:db8::9:2;branch=z9hG4bKy\n",
                "",
            )
            .replace("To: <sip:desk@office.example>", "To: <sip:desk@[2001:db8::10]>;tag=far"),
        ),
        Case::new("mult-ip-in-sdp", Rings, call(&two)),
        Case::new(
            "ipv4-mapped-ipv6",
            Rings,
            invite("").replace("127.0.0.1:@P;branch", "[::ffff:192.0.2.10]:@P;branch").replace("Contact: <sip:caller@127.0.0.1:@P>", "Contact: <sip:caller@[::ffff:192.0.2.2]:@P>"),
        ),
        // A grammar once allowed it; whoever is strict refuses it.
        Case::new("ipv6-bug-abnf-3-colons", Status(&[200, 400]), whole("OPTIONS sip:desk@[2001:db8:::192.0.2.1] SIP/2.0", "", "")),
    ];
    cases.extend(both("ipv6-good", &to("sip:[2001:db8::10]")));
    cases.extend(both("port-ambiguous", &to("sip:[2001:db8::10:5070]")));
    cases.extend(both("port-unambiguous", &to("sip:[2001:db8::10]:5070")));
    cases
}

/// A response of RFC 4475.
pub struct Answer {
    pub name: &'static str,
    pub start: &'static str,
    /// What of a good answer stands otherwise: this, and how.
    pub otherwise: (&'static str, &'static str),
    /// Whether it counts as the answer to a call of ours.
    pub counts: bool,
}

pub fn responses() -> Vec<Answer> {
    let answer = |name, start, otherwise, counts| Answer { name, start, otherwise, counts };
    let ok = "SIP/2.0 200 OK";
    vec![
        answer("unreason", "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e} \u{441}\u{442}\u{43e}", ("", ""), true),
        answer("noreason", "SIP/2.0 200 ", ("", ""), true),
        answer("scalarlg", ok, ("CSeq: ", "CSeq: 9292394834772304023312"), false),
        answer("bigcode", "SIP/2.0 4294967301 better not break the receiver", ("", ""), false),
        // Two Vias: it was for somebody behind us (RFC 3261 §8.1.3.3), and would be passed on to everybody.
        answer("bcast", ok, ("From: ", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\r\nFrom: "), false),
    ]
}
