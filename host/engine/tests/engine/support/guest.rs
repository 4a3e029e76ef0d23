//! Guests that misbehave, written by hand.

use wit_component::{DecodedWasm, StringEncoding, decode, embed_component_metadata};

use super::shipped;

/// A tier policy without plans that looks at the first letter of the provider's name: every
/// letter of these is another way to misbehave, all others are granted.
///
/// - `b`: gives a reason of 5 MB
/// - `d`: refuses a level that there is not
/// - `e`: calls itself without end
/// - `l`: loops for ever
/// - `m`: takes memory until there is none, then traps
/// - `n`: states a limit that is no number
/// - `t`: traps
/// - `u`: gives a reason that is not UTF-8
/// - `w`: writes to the log for ever
pub fn hostile() -> Vec<u8> {
    tier_component(
        "",
        r#"
        (local.set $letter (i32.load8_u (local.get $provider)))
        (if (i32.eq (local.get $letter) (i32.const 98)) (then
            (drop (memory.grow (i32.const 100)))
            (call $refuse (i32.const 0) (i32.const 0))
            (i32.store (i32.const 264) (i32.const 5000000)) (return (i32.const 256))))
        (if (i32.eq (local.get $letter) (i32.const 110)) (then
            (i32.store (i32.const 256) (i32.const 0))
            (i32.store (i32.const 280) (i32.const 600)) (i32.store (i32.const 284) (i32.const 1))
            (i32.store (i32.const 604) (i32.const 512)) (i32.store (i32.const 608) (i32.const 4))
            (i32.store (i32.const 612) (i32.const 1)) (i32.store (i32.const 628) (i32.const 200))
            (return (i32.const 256))))
        (if (i32.eq (local.get $letter) (i32.const 100)) (then
            (call $refuse (i32.const 512) (i32.const 7)) (return (i32.const 256))))
        (if (i32.eq (local.get $letter) (i32.const 101)) (then (call $recurse)))
        (if (i32.eq (local.get $letter) (i32.const 108)) (then (loop $l (br $l))))
        (if (i32.eq (local.get $letter) (i32.const 109)) (then
            (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (unreachable)))
        (if (i32.eq (local.get $letter) (i32.const 116)) (then (unreachable)))
        (if (i32.eq (local.get $letter) (i32.const 117)) (then
            (call $refuse (i32.const 520) (i32.const 0)) (return (i32.const 256))))
        (if (i32.eq (local.get $letter) (i32.const 119)) (then
            (loop $l (call $log (i32.const 2) (i32.const 512) (i32.const 4)) (br $l))))
        (i32.const 0)
        "#,
    )
}

/// A tier policy that refuses from its third call on: what it answers depends on what it was asked
/// before.
pub fn impure() -> Vec<u8> {
    impure_after(2)
}

/// The same, after more calls, so that no probe finds it out.
pub fn impure_after(calls: u32) -> Vec<u8> {
    tier_component(
        "(global $calls (mut i32) (i32.const 0))",
        &format!(
            r#"
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.gt_u (global.get $calls) (i32.const {calls})) (then
            (call $refuse (i32.const 512) (i32.const 0)) (return (i32.const 256))))
        (i32.const 0)
        "#
        ),
    )
}

/// A tier policy that needs something that no host knows.
pub fn needy() -> Vec<u8> {
    let plain = r#"(func (export "tollgate:policy/lifecycle@0.1.0#describe") (result i32)
            (i32.const 0))"#;
    let needy = r#"(func (export "tollgate:policy/lifecycle@0.1.0#describe") (result i32)
            (i32.store (i32.const 720) (i32.const 512)) (i32.store (i32.const 724) (i32.const 4))
            (i32.store (i32.const 816) (i32.const 720)) (i32.store (i32.const 820) (i32.const 1))
            (i32.const 800))"#;
    component(&tier_exports("", "(i32.const 0)"), "standard-tiers.wasm", |text| {
        text.replace(plain, needy)
    })
}

/// A tier policy that refuses everything.
pub fn refusing() -> Vec<u8> {
    tier_component("", "(call $refuse (i32.const 512) (i32.const 0)) (i32.const 256)")
}

/// The same plugin in other bytes: with a custom section named `n` and nothing in it.
pub fn in_other_bytes(mut plugin: Vec<u8>) -> Vec<u8> {
    plugin.extend([0, 2, 1, b'n']);
    plugin
}

/// A tier policy with these definitions and this body of `evaluate`. It has no plans.
pub fn tier_component(definitions: &str, evaluate: &str) -> Vec<u8> {
    component(&tier_exports(definitions, evaluate), "standard-tiers.wasm", |text| text)
}

fn tier_exports(definitions: &str, evaluate: &str) -> String {
    format!(
        r#"{definitions}
        (func (export "tollgate:policy/verdict-scope@0.1.0#depends-on") (result i32) (i32.const 0))
        (func $recurse (call $recurse) (call $recurse))
        (func $refuse (param $reason i32) (param $level i32)
            (i32.store (i32.const 256) (i32.const 1))
            (i32.store (i32.const 260) (local.get $reason))
            (i32.store (i32.const 264) (i32.const 4))
            (i32.store (i32.const 276) (local.get $level)))
        (func (export "tollgate:policy/tiers@0.1.0#plans") (result i32) (i32.const 0))
        (func (export "tollgate:policy/tiers@0.1.0#evaluate")
            (param $provider i32) (param i32 i32 i32 i32 i32 i32) (param $at i64)
            (param i32 i32 i32 i32) (result i32)
            (local $letter i32)
            {evaluate})"#
    )
}

/// A pricing policy that prices nothing.
pub fn pricing_component() -> Vec<u8> {
    pricing("(i32.const 0)", "(i32.const 0)", "(i32.const 0)")
}

/// One that prices nothing in words, and in numbers everything, at nothing.
pub fn contradictory_pricing_component() -> Vec<u8> {
    // A line `calls` of the side `input`, and a quote that is there and has no charges.
    pricing("(i32.const 640)", "(i32.const 704)", "(i32.const 0)")
}

/// One that prices nothing, and says that all estimates come to nothing.
pub fn contradictory_rates_component() -> Vec<u8> {
    // Rates that are there, for nothing and for ever.
    pricing("(i32.const 0)", "(i32.const 0)", "(i32.const 736)")
}

/// A pricing policy that prices nothing in words. Its lines, its prices in numbers and its rates are
/// at these addresses, and its only entry is called `calls`.
fn pricing(lines: &str, price: &str, rates: &str) -> Vec<u8> {
    let call = "(param i32 i32 i32 i32 i32 i32 i32) (param i64) (param i32 i32)";
    let exports = format!(
        r#"
        (func (export "tollgate:policy/prices@0.1.0#claims") (result i32) (i32.const 0))
        (func (export "tollgate:policy/prices@0.1.0#catalog") (param i32) (result i32) (i32.const 0))
        (func (export "tollgate:policy/prices@0.1.0#price") {call} (result i32) (i32.const 0))
        (func (export "tollgate:policy/prices@0.1.0#estimate") {call} (param i32 i32) (result i32)
            (i32.const 0))
        (func (export "tollgate:policy/prices@0.1.0#extract")
            (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "tollgate:policy/price-terms@0.1.0#of-page") (param i32) (result i32)
            (i32.const 0))
        (func (export "tollgate:policy/price-wishes@0.1.0#wishes") (result i32) (i32.const 0))
        (data (i32.const 624) "callsinput")
        (data (i32.const 640) "\88\02\00\00\01\00\00\00\70\02\00\00\05\00\00\00\75\02\00\00\05\00\00\00")
        (data (i32.const 672) "\88\02\00\00\01\00\00\00")
        (data (i32.const 704) "\00\00\00\00\01\00\00\00")
        (data (i32.const 736) "\01")
        (func (export "tollgate:policy/call-rates@0.1.0#of-calls-like") {call} (param i32 i32)
            (result i32) {rates})
        (func (export "tollgate:policy/coded-prices@0.1.0#lines") (result i32) {lines})
        (func (export "tollgate:policy/coded-prices@0.1.0#entries") (param $page i32) (result i32)
            (select (i32.const 0) (i32.const 672) (local.get $page)))
        (func (export "tollgate:policy/coded-prices@0.1.0#price") {call} (result i32) {price})"#
    );
    component(&exports, "token-pricing.wasm", |text| text)
}

/// An alert policy that says that nothing is due below twice a limit, and raises an alert all the
/// same whenever it is asked.
pub fn loud_alert_component() -> Vec<u8> {
    let due = r#"
        (data (i32.const 624) "info")
        (data (i32.const 704) "\00\03\00\00\01\00\00\00")
        (func (export "tollgate:policy/alerts@0.1.0#due") (param i32 i32) (result i32)
            ;; The first reading, at 80 %: a word for its kind, `info` for its severity.
            (i32.store (i32.const 772) (i32.const 80))
            (i32.store (i32.const 776) (i32.const 512)) (i32.store (i32.const 780) (i32.const 4))
            (i32.store (i32.const 784) (i32.const 624)) (i32.store (i32.const 788) (i32.const 4))
            (i32.const 704))"#;
    let list = "(param i32 i32) (result i32) (i32.const 0)";
    let exports = format!(
        r#"{due}
        (func (export "tollgate:policy/alerts@0.1.0#recommend") {list})
        (func (export "tollgate:policy/advice@0.1.0#candidates") {list})
        (func (export "tollgate:policy/advice@0.1.0#advise")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0))
        (func (export "tollgate:policy/quiet-alerts@0.1.0#quiet-below") (result i32)
            (i32.const 200))"#
    );
    component(&exports, "threshold-alerts.wasm", |text| text)
}

/// A component of the same world as a shipped plugin. Whatever answers with the address 0 answers
/// with zeros: no name, no needs, no entries, and yes to every configuration.
fn component(exports: &str, like: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let module = format!(
        r#"(module
        (import "tollgate:policy/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
        (memory (export "memory") 2)
        (global $free (mut i32) (i32.const 4096))
        (data (i32.const 512) "word\00\00\00\00\ff\fe\fd\fc")
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            ;; What one call was given may be overwritten by the next, since nothing is kept.
            (if (i32.gt_u (global.get $free) (i32.const 65536)) (then
                (global.set $free (i32.const 4096))))
            (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
            (global.get $free)
            (global.set $free (i32.add (global.get $free) (local.get 3))))
        (func (export "tollgate:policy/lifecycle@0.1.0#describe") (result i32)
            (i32.const 0))
        (func (export "tollgate:policy/lifecycle@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 0))
        {exports})"#
    );
    let mut module = wat::parse_str(change(module)).unwrap();
    let DecodedWasm::Component(resolve, world) = decode(&shipped(like)).unwrap() else {
        panic!("a plugin is a component")
    };
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    tollgate_engine::component_from_module(&module).unwrap()
}
