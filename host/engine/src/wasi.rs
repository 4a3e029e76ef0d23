//! WASI with nothing granted, for guests in languages whose runtimes cannot do without it.
//!
//! No arguments, environment, folders, sockets or streams that lead anywhere. Clocks stand still
//! and random numbers repeat, so that a policy which uses them is still a pure function.

mod io;
mod sockets;

use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, p2};

use crate::guest_state::GuestState;

/// Everything that a guest may import from WASI.
pub(crate) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    p2::add_to_linker_sync(linker)?;
    // The stock functions of these wait in host code, where neither fuel nor epoch sees it, or
    // block on tokio, which panics on one of tokio's own threads.
    linker.allow_shadowing(true);
    io::add_to_linker(linker)?;
    sockets::add_to_linker(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

pub(crate) fn nothing_granted() -> WasiCtx {
    WasiCtx::builder()
        .secure_random(Deterministic::new(vec![4]))
        .insecure_random(Deterministic::new(vec![4]))
        .insecure_random_seed(4)
        .wall_clock(StoppedClock)
        .monotonic_clock(StoppedClock)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build()
}

/// Always 1970-01-01T00:00:00Z: a policy is told the time of a call with the call.
struct StoppedClock;

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use wasmtime::Store;
    use wasmtime::component::Component;

    use crate::guest_state::GuestState;
    use crate::limits::Limits;
    use crate::logging::Origin;
    use crate::options::Options;
    use crate::runtime::{Runtime, deadline_epochs};

    /// Waits for an instant centuries away, then says what time it is.
    const SLEEPER: &str = r#"(component
        (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type $pollable (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $outer))
            (export "pollable" (type $pollable (eq $outer)))
            (export "now" (func (result u64)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
        (core func $now (canon lower (func $clock "now")))
        (core func $subscribe (canon lower (func $clock "subscribe-duration")))
        (core func $block (canon lower (func $poll "[method]pollable.block")))
        (core module $sleeper
            (import "host" "now" (func $now (result i64)))
            (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
            (import "host" "block" (func $block (param i32)))
            (func (export "sleep") (result i64)
                (call $block (call $subscribe (i64.const 0x7fffffffffffffff)))
                (call $now)))
        (core instance $instance (instantiate $sleeper (with "host" (instance
            (export "now" (func $now))
            (export "subscribe" (func $subscribe))
            (export "block" (func $block))))))
        (func (export "sleep") (result u64) (canon lift (core func $instance "sleep"))))"#;

    #[test]
    fn a_guest_cannot_wait_in_host_code_and_sees_no_time_pass() {
        let runtime = Runtime::new(&Options::new("unused")).unwrap();
        let component = Component::new(&runtime.engine, wat::parse_str(SLEEPER).unwrap()).unwrap();
        let state = GuestState::new(&Limits::default(), Origin::new("sleeper", "1", || None));
        let mut store = Store::new(&runtime.engine, state);
        store.set_fuel(1_000_000).unwrap();
        store.set_epoch_deadline(deadline_epochs(Duration::from_secs(5)));
        let instance = runtime.linker.instantiate(&mut store, &component).unwrap();
        let sleep = instance.get_typed_func::<(), (u64,)>(&mut store, "sleep").unwrap();
        let started = Instant::now();
        assert_eq!(sleep.call(&mut store, ()).unwrap(), (0,));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
