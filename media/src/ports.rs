//! Pairs of UDP ports for carriers' legs: even for RTP, the next one for RTCP (RFC 3550 §11).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// Attempts to bind a pair before giving up: other programs may hold ports of the range.
const ATTEMPTS: usize = 64;

/// The pairs not in use. A pair goes to the end of the queue when it is given back, so that late packets of
/// an ended call do not hit the next one.
#[derive(Debug, Clone)]
pub(crate) struct PortPool {
    bind: IpAddr,
    free: Arc<Mutex<std::collections::VecDeque<u16>>>,
}

/// Two bound sockets; their ports return to the pool on drop.
#[derive(Debug)]
pub(crate) struct PortPair {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) lease: PortLease,
}

/// Gives the pair back when dropped.
#[derive(Debug)]
pub(crate) struct PortLease {
    port: u16,
    pool: PortPool,
}

impl PortPool {
    pub(crate) fn new(bind: IpAddr, range: &RangeInclusive<u16>) -> Self {
        let first = range.start().saturating_add(range.start() % 2);
        let free = (first..*range.end()).step_by(2).filter(|port| *port != 0 && port % 2 == 0).collect();
        PortPool { bind, free: Arc::new(Mutex::new(free)) }
    }

    /// Binds the next free pair.
    ///
    /// # Errors
    /// `AddrNotAvailable` when no pair is free; otherwise the last error of binding.
    pub(crate) fn take(&self) -> io::Result<PortPair> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for _ in 0..ATTEMPTS {
            let Some(port) = self.lock().pop_front() else { return Err(last) };
            let lease = PortLease { port, pool: self.clone() };
            match (self.bind(port), self.bind(port + 1)) {
                (Ok(rtp), Ok(rtcp)) => return Ok(PortPair { rtp, rtcp, lease }),
                (Err(error), _) | (_, Err(error)) => last = error,
            }
        }
        Err(last)
    }

    fn bind(&self, port: u16) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(SocketAddr::new(self.bind, port))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, std::collections::VecDeque<u16>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PortLease {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.pool.lock().push_back(self.port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_distinct_and_come_back_last() {
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), &(47_101..=47_107));
        let first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert_eq!((first.lease.port(), second.lease.port()), (47_102, 47_104));
        assert_eq!(first.rtcp.local_addr().unwrap().port(), 47_103);
        drop(first);
        let third = pool.take().unwrap();
        assert_eq!(third.lease.port(), 47_106);
        let again = pool.take().unwrap();
        assert_eq!(again.lease.port(), 47_102);
        assert!(pool.take().is_err());
    }

    #[test]
    fn a_port_held_by_another_program_is_passed_over() {
        let _held = UdpSocket::bind("127.0.0.1:47121").unwrap();
        let pool = PortPool::new(IpAddr::from([127, 0, 0, 1]), &(47_120..=47_123));
        assert_eq!(pool.take().unwrap().lease.port(), 47_122);
    }
}
