//! How a leg sounds, as one number: the E-model (ITU-T G.107), reduced to what RTP tells.
//!
//! R = 93.2 − Id − Ie,eff, where 93.2 is what G.107's default values leave of the best telephone line;
//!
//! - Id = 0.024·d + 0.11·(d − 177.3)⁺ for a mouth-to-ear delay of d ms (the usual approximation of G.107's delay terms
//!   without echo: Cole and Rosenbluth, "Voice over IP performance monitoring", 2001);
//! - Ie,eff = Ie + (95 − Ie)·Ppl / (Ppl/BurstR + Bpl) (G.107 §7.6) with Ie = 0 and Bpl = 25.1 for G.711 with concealment
//!   (G.113 appendix I), which every browser and telephone has, and BurstR = 1: loss is taken as random;
//! - MOS = 1 + 0.035·R + R·(R − 60)·(100 − R)·7·10⁻⁶ (G.107 annex B), between 1 and 4.5.
//!
//! It is an estimate of the transport, not of the voice: what was lost before the carrier's gateway does not show.

/// R without delay and loss.
const BEST: f64 = 93.2;
/// Loss robustness of G.711 with concealment.
const BPL: f64 = 25.1;
/// Beyond this delay (ms) people begin to talk over each other.
const TURNING_POINT: f64 = 177.3;
/// One packet is filled before it leaves, in ms.
const PACKET: f64 = 20.0;
/// A listener's jitter buffer waits for about so many times the mean jitter.
const BUFFERED_JITTERS: f64 = 2.0;

/// Mean opinion score, 1.0 (bad) to 4.5, of sound with this share of packets lost (0 to 1), this jitter and this round
/// trip; without a measured round trip only the delay that packets and jitter cause is counted.
pub(crate) fn mos(loss: f64, jitter_ms: f64, round_trip_ms: Option<f64>) -> f32 {
    let delay = PACKET + BUFFERED_JITTERS * jitter_ms.max(0.0) + round_trip_ms.unwrap_or(0.0).max(0.0) / 2.0;
    let by_delay = 0.024 * delay + 0.11 * (delay - TURNING_POINT).max(0.0);
    let percent = 100.0 * loss.clamp(0.0, 1.0);
    let by_loss = 95.0 * percent / (percent + BPL);
    let r = (BEST - by_delay - by_loss).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_line_is_as_good_as_a_telephone_gets() {
        assert!((mos(0.0, 0.0, None) - 4.40).abs() < 0.01, "{}", mos(0.0, 0.0, None));
        assert!((mos(0.0, 0.0, Some(40.0)) - 4.39).abs() < 0.015);
    }

    #[test]
    fn known_points_of_the_curve() {
        // 1 % random loss of G.711 with concealment: Ie,eff = 95/26.1 = 3.64, R = 89.1.
        assert!((mos(0.01, 0.0, None) - 4.31).abs() < 0.02, "{}", mos(0.01, 0.0, None));
        // 5 %: Ie,eff = 15.8, R = 76.9: "some users dissatisfied" begins at 70.
        assert!((mos(0.05, 0.0, None) - 3.91).abs() < 0.03, "{}", mos(0.05, 0.0, None));
        // 10 %: R = 65.7.
        assert!((mos(0.10, 0.0, None) - 3.39).abs() < 0.04, "{}", mos(0.10, 0.0, None));
    }

    #[test]
    fn worse_is_never_better() {
        let mut last = 5.0;
        for step in 0..=100 {
            let share = f64::from(step) / 100.0;
            let now = mos(share, share * 300.0, Some(share * 2_000.0));
            assert!(now <= last && (1.0..=4.5).contains(&now));
            last = now;
        }
        assert!(mos(0.0, 100.0, None) < mos(0.0, 1.0, None));
        assert!(mos(0.0, 0.0, Some(800.0)) < 3.6);
        assert_eq!(mos(f64::NAN.max(1.0), 1e9, Some(1e9)), 1.0);
    }
}
