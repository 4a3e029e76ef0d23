//! Which roots are in memory: those that were asked for lately, and no more of them than fit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tollgate_domain::{RootId, Timestamp};

use crate::root::Root;

/// Where there are more than this, the ones that came first leave: two kilobytes or three each,
/// and some microseconds to load again.
const ROOTS_MAX: usize = 32 * 1024;

/// So many are looked at when one comes: more leave than come, so long as somebody can.
const LOOKED_AT: usize = 2;

#[derive(Default)]
pub struct Roots(RwLock<Loaded>);

#[derive(Default)]
struct Loaded {
    roots: HashMap<RootId, Arc<Mutex<Root>>>,
    /// In the order in which they came. Some may have left.
    line: VecDeque<RootId>,
}

impl Roots {
    /// A root, which is loaded if it is not there.
    pub fn get<E>(
        &self,
        id: &RootId,
        now: Timestamp,
        load: impl FnOnce() -> Result<Root, E>,
    ) -> Result<Arc<Mutex<Root>>, E> {
        if let Some(root) = self.0.read().roots.get(id) {
            return Ok(root.clone());
        }
        // Loaded under the lock: two copies of a root would grant the same unit twice.
        let mut loaded = self.0.write();
        if let Some(root) = loaded.roots.get(id) {
            return Ok(root.clone());
        }
        let root = Arc::new(Mutex::new(load()?));
        loaded.make_room(now);
        loaded.roots.insert(id.clone(), root.clone());
        loaded.line.push_back(id.clone());
        Ok(root)
    }

    /// How many are in memory.
    pub fn loaded(&self) -> usize {
        self.0.read().roots.len()
    }

    /// Lets go of this very root: somebody may have loaded another copy already.
    pub fn forget(&self, id: &RootId, root: &Arc<Mutex<Root>>) {
        let mut loaded = self.0.write();
        if loaded.roots.get(id).is_some_and(|current| Arc::ptr_eq(current, root)) {
            loaded.roots.remove(id);
        }
    }

    /// Lets roots go that nobody has asked for since. They are looked for while others go on.
    pub fn forget_idle(&self, now: Timestamp, since: Timestamp) {
        let idle: Vec<_> = {
            let loaded = self.0.read();
            let idle = loaded.roots.iter().filter(|(_, root)| is_idle(root, now, Some(since)));
            idle.map(|(id, _)| id.clone()).collect()
        };
        let mut loaded = self.0.write();
        for id in idle {
            if loaded.roots.get(&id).is_some_and(|root| is_idle(root, now, Some(since))) {
                loaded.roots.remove(&id);
            }
        }
        let Loaded { roots, line } = &mut *loaded;
        if line.len() > roots.len() + LOOKED_AT {
            // A root that left and came again stands in line twice: once too often does no harm.
            line.retain(|id| roots.contains_key(id));
        }
        if roots.capacity() / 8 > roots.len() {
            roots.shrink_to_fit();
            line.shrink_to_fit();
        }
    }
}

impl Loaded {
    /// Lets the first in line go where there are too many; who is busy goes to its end.
    fn make_room(&mut self, now: Timestamp) {
        for _ in 0..LOOKED_AT {
            if self.line.len() < ROOTS_MAX {
                break;
            }
            let Some(id) = self.line.pop_front() else { break };
            match self.roots.get(&id) {
                None => {}
                Some(root) if is_idle(root, now, None) => drop(self.roots.remove(&id)),
                Some(_) => self.line.push_back(id),
            }
        }
    }
}

/// Whether nobody has a root, or waits for something in it.
fn is_idle(root: &Arc<Mutex<Root>>, now: Timestamp, since: Option<Timestamp>) -> bool {
    Arc::strong_count(root) == 1 && root.try_lock().is_some_and(|root| root.is_idle(now, since))
}
