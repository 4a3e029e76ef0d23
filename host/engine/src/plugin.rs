//! A `.wasm` file, from bytes to something that instances can be made of.

use wasmtime::component::InstancePre;
use wit_component::DecodedWasm;

use crate::Kind;
use crate::digest::Digest;
use crate::guest_state::GuestState;
use crate::refusal::{Refused, Step};
use crate::runtime::Runtime;

const PACKAGE: &str = "tollgate:policy/";

/// The version of `wit/` that this host speaks. A later patch of it only adds what is asked for
/// by name.
const API_VERSION: &str = "0.1";

/// A compiled component whose imports are all provided for.
pub(crate) struct Plugin {
    pub digest: Digest,
    /// The version of `wit/` that it was built against.
    pub api_version: String,
    pub pre: InstancePre<GuestState>,
    pub kind: Kind,
}

impl Plugin {
    /// Inspects, compiles and links a plugin; `digest` is that of `bytes`.
    pub fn load(runtime: &Runtime, bytes: &[u8], digest: Digest) -> Result<Self, Refused> {
        let (kind, api_version) =
            inspect(bytes).map_err(|why| Refused::new(Step::Inspected, why))?;
        let component = runtime.compiler.component(&runtime.engine, bytes, digest)?;
        let pre = runtime
            .linker
            .instantiate_pre(&component)
            .map_err(|error| Refused::new(Step::Linked, format_args!("{error:#}")))?;
        Ok(Self { digest, api_version, pre, kind })
    }

    /// Checks that the plugin is of the kind that a manifest says.
    pub fn check_kind(&self, wanted: Kind) -> Result<(), Refused> {
        if self.kind == wanted {
            return Ok(());
        }
        let why = format!("is a plugin for {} policies, and the manifest says {wanted}", self.kind);
        Err(Refused::new(Step::Inspected, why))
    }
}

/// Checks what a component imports and exports without compiling it; says which kind of policy
/// it is for, and which version of the interface it speaks.
pub(crate) fn inspect(bytes: &[u8]) -> Result<(Kind, String), String> {
    if bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err("is a core module, not a component: `tollgate plugin build` makes one".into());
    }
    let decoded = wit_component::decode(bytes)
        .map_err(|error| format!("is not a WebAssembly component: {error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("is a package of interfaces without any code".into());
    };
    let world = &resolve.worlds[world];
    let mut imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    if let Some(name) = imports.find(|name| !may_import(name)) {
        return Err(format!("imports {name}; a policy may import only {PACKAGE}logging"));
    }
    let exports: Vec<_> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    let of_kind = |kind: Kind| Some((kind, version_of(&exports, kind.interface())?));
    let (kind, version) = Kind::ALL
        .into_iter()
        .find_map(of_kind)
        .ok_or_else(|| format!("exports none of {PACKAGE}tiers, prices, adjustments and alerts"))?;
    if version_of(&exports, "lifecycle") != Some(version) {
        return Err(format!("does not export {PACKAGE}lifecycle@{version}"));
    }
    if !version.strip_prefix(API_VERSION).is_some_and(|patch| patch.starts_with('.')) {
        return Err(format!("speaks version {version} of {PACKAGE}*, this host {API_VERSION}"));
    }
    Ok((kind, version.to_owned()))
}

/// The version in which an interface of ours is exported.
fn version_of<'a>(exports: &'a [String], interface: &str) -> Option<&'a str> {
    let versioned =
        |name: &'a String| name.strip_prefix(PACKAGE)?.strip_prefix(interface)?.strip_prefix('@');
    exports.iter().find_map(versioned)
}

/// `types` has no functions; of WASI, the host links what exists with nothing granted.
fn may_import(name: &str) -> bool {
    let own = name.strip_prefix(PACKAGE).and_then(|name| name.split('@').next());
    matches!(own, Some("logging" | "types")) || name.starts_with("wasi:")
}
