//! What a plugin says of itself, without any configuration.

use wasmtime::Store;
use wit_component::DecodedWasm;

use super::{NotTaken, Workbench};
use crate::Kind;
use crate::bindings::lifecycle;
use crate::digest::Digest;
use crate::guest_state::GuestState;
use crate::instance::{SET_UP_DEADLINE, StartError, run};
use crate::limits::Limits;
use crate::logging::Origin;
use crate::plugin::Plugin;
use crate::refusal::{Refused, Step};

/// A plugin as it is, whatever a manifest makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub kind: Kind,
    /// The version of `wit/` that it was built against.
    pub api_version: String,
    /// The interfaces that it imports, in the order of their names.
    pub imports: Vec<String>,
    /// SHA-256, in hexadecimal.
    pub digest: String,
    /// Its own word.
    pub name: String,
    /// Its own word.
    pub version: String,
    /// What it wants to be told beyond what every call carries.
    pub needs: Vec<String>,
    /// A JSON Schema of its configuration, if it has one.
    pub config_schema: Option<String>,
    /// What it has once it was started, of all linear memories together.
    pub memory_bytes: u64,
}

impl Workbench {
    /// Starts a plugin and asks it to describe itself, within the default limits but for memory:
    /// of that it may have all that a manifest may ask for.
    pub fn inspect(&self, plugin: &[u8]) -> Result<Inspection, NotTaken> {
        let digest = Digest::of(plugin);
        let compiled = Plugin::load(&self.works.runtime, plugin, digest)?;
        let context = self.works.options.log_context;
        let limits = Limits { memory_mib: self.works.options.memory_mib_max, ..Limits::default() };
        let linked = |error| Refused::new(Step::Linked, format_args!("{error:#}"));
        let indices = lifecycle::GuestIndices::new(&compiled.pre).map_err(linked)?;
        let state = GuestState::new(&limits, Origin::new("inspected", &digest.short(), context));
        let mut store = Store::new(compiled.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(usize::try_from(limits.result_bytes()).unwrap_or(usize::MAX));
        let description = run(&mut store, (limits.fuel_configure, SET_UP_DEADLINE), |store| {
            let instance = compiled.pre.instantiate(&mut *store)?;
            indices.load(&mut *store, &instance)?.call_describe(store)
        })
        .map_err(StartError::when("asked to describe itself"))
        .map_err(Refused::from)?;
        Ok(Inspection {
            kind: compiled.kind,
            api_version: compiled.api_version,
            imports: imports(plugin),
            digest: digest.to_string(),
            name: description.name,
            version: description.version,
            needs: description.needs,
            config_schema: description.config_schema,
            memory_bytes: store.data().memory.bytes(),
        })
    }
}

fn imports(component: &[u8]) -> Vec<String> {
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(component) else {
        return Vec::new();
    };
    let imports = resolve.worlds[world].imports.keys();
    let mut names: Vec<_> = imports.map(|key| resolve.name_world_key(key)).collect();
    names.sort();
    names
}
