//! Ports that a program may be told to listen at, now and again after it was restarted.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below what Linux gives to connections that go out (32,768 and above), so that none of the thousands a test opens
/// takes the port of a server while it starts, or while it is down on purpose.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// How far apart programs that run beside each other begin to look.
const APART: u32 = 199;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A free port of the loopback, that this program gives out once in a while only.
///
/// # Errors
/// When none of them is free.
pub fn free_port() -> std::io::Result<u16> {
    let begin = std::process::id().wrapping_mul(APART) % COUNT;
    for _ in 0..COUNT {
        let place = (begin + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT;
        let Ok(port) = u16::try_from(FIRST + place) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(std::io::ErrorKind::AddrNotAvailable.into())
}

/// The loopback at a [`free_port`].
///
/// # Errors
/// As there.
pub fn free_address() -> std::io::Result<SocketAddr> {
    Ok((Ipv4Addr::LOCALHOST, free_port()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_to_two() {
        let first = free_port().unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let more: std::collections::BTreeSet<_> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(more.len(), 50);
        assert!(!more.contains(&taken.local_addr().unwrap().port()));
        assert!(more.iter().all(|port| u32::from(*port) < FIRST + COUNT));
    }
}
