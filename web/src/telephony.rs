//! The SIP side of a checked configuration, as the engine wants it.

use std::{collections::BTreeMap, time::Duration};

use ringback_engine::{
    TrunkTerms,
    parts::{
        Encryption, IpNet, RtpTerms, Secret, SignalingConfig, SignalingLimits, TlsFiles, TlsListen, Transport,
        TrunkConfig,
    },
};
use ringback_routing::ids::TrunkId;

use crate::{
    config::{ServerConfig, SipTransport, Srtp, Trunk, file::SipLimitsTable},
    start::RunError,
};

/// What each trunk has room for, and what it asks of the sound.
pub(crate) fn terms(config: &ServerConfig) -> BTreeMap<TrunkId, TrunkTerms> {
    config.trunks.iter().map(|trunk| (trunk.table.id.get_ref().clone(), terms_of(trunk))).collect()
}

fn terms_of(trunk: &Trunk) -> TrunkTerms {
    let encryption = match trunk.table.srtp {
        Srtp::Off => Encryption::Off,
        Srtp::Optional => Encryption::Optional,
        Srtp::Required => Encryption::Required,
    };
    let codecs = trunk.table.codecs().unwrap_or_default();
    let sound = RtpTerms { encryption, codecs };
    TrunkTerms { channels: trunk.table.channels, sound, refers: trunk.table.refer }
}

pub(crate) fn signaling(config: &ServerConfig) -> Result<SignalingConfig, RunError> {
    let sip = &config.file.sip;
    let advertised = sip.advertised.as_ref().map(|host| host.parse()).transpose();
    let ranges = sip.accept_from.iter().map(|range| range.as_str().parse::<IpNet>()).collect::<Result<_, _>>();
    let files = sip.certificate.clone().zip(sip.private_key.clone());
    let tls = sip.tls.zip(files).map(|(bind, (certificate, private_key))| TlsListen {
        bind,
        certificate,
        private_key,
        client_roots: sip.client_ca_file.clone(),
    });
    Ok(SignalingConfig {
        udp_bind: sip.udp,
        tcp_bind: sip.tcp,
        tls,
        advertised: advertised.map_err(|error| RunError::Config(format!("sip.advertised: {error}")))?,
        user_agent: concat!("Ringback/", env!("CARGO_PKG_VERSION")).to_owned(),
        trunks: config.trunks.iter().map(trunk).collect(),
        nameservers: sip.nameservers.clone(),
        limits: limits(&sip.limits),
        accept_inbound_from: ranges.map_err(|error| RunError::Config(format!("sip.accept_from: {error}")))?,
        ..SignalingConfig::default()
    })
}

fn limits(table: &SipLimitsTable) -> SignalingLimits {
    SignalingLimits {
        per_source_per_second: table.messages_per_second,
        max_connections: table.connections,
        max_connections_per_source: table.connections_per_address,
        max_transactions: table.transactions,
        max_dialogs: table.calls,
        slow_sender: Duration::from_secs(u64::from(table.slow_sender_seconds)),
        idle_connection: Duration::from_secs(u64::from(table.idle_connection_seconds)),
        ..SignalingLimits::default()
    }
}

/// As the engine takes them while it runs: each with its terms.
pub(crate) fn trunks(trunks: &[Trunk]) -> Vec<(TrunkConfig, TrunkTerms)> {
    trunks.iter().map(|known| (trunk(known), terms_of(known))).collect()
}

fn trunk(trunk: &Trunk) -> TrunkConfig {
    let table = &trunk.table;
    let transport = match table.transport {
        SipTransport::Udp => Transport::Udp,
        SipTransport::Tcp => Transport::Tcp,
        SipTransport::Tls => Transport::Tls,
    };
    let path = |file: &Option<toml::Spanned<std::path::PathBuf>>| file.as_ref().map(|file| file.get_ref().clone());
    let system = TlsFiles::default();
    TrunkConfig {
        port: table.port,
        tls: TlsFiles {
            roots: path(&table.ca_file).unwrap_or(system.roots),
            certificate: path(&table.certificate),
            private_key: path(&table.private_key),
            server_name: table.server_name.clone(),
        },
        sips: table.sips,
        username: table.username.clone(),
        password: trunk.password.as_ref().map(|password| Secret::new(password.reveal())),
        realm: table.realm.clone(),
        from_user: table.caller_id.clone(),
        from_domain: table.from_domain.clone(),
        options_interval: positive(table.options_seconds),
        register: positive(table.register_seconds),
        trusts_identity: table.trust_identity,
        session_expires: positive(table.session_seconds),
        large_by_tcp: table.large_by_tcp,
        silence: positive(table.silence_seconds),
        // The file's own check has read them.
        allow_from: table.allow_from.iter().filter_map(|range| range.as_str().parse().ok()).collect(),
        ..TrunkConfig::new(table.id.get_ref().as_str(), transport, table.host.clone(), 0)
    }
}

fn positive(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
}
