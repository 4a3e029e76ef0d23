//! Which entry of the price lists a call is priced by.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use crate::config::{Catalogue, Price, Provider};
use crate::entry::Model;
use crate::hash::Hashed;
use crate::matching::{Match, Matcher};
use crate::rates::Layouts;

/// How many answers to which model a name is are kept.
const KNOWN_MAX: usize = 4_096;

/// The price lists, ready for lookup.
pub(crate) struct Book {
    lists: Vec<List>,
    /// The lists of each provider, in the order in which they are asked.
    providers: HashMap<String, Asked, Hashed>,
    /// The lists for providers that have none.
    of_any: Asked,
}

struct Asked {
    /// The list of overrides first, where the provider has any.
    lists: Vec<usize>,
    has_overrides: bool,
    /// What patterns said of a name before: they are asked in order, which takes longer the more
    /// there are.
    known: Mutex<HashMap<String, Option<Place>, Hashed>>,
}

/// A list, and a model in it.
type Place = (usize, usize);

/// What one catalogue has of one provider.
struct List {
    models: Vec<Model>,
    /// By their lower-case names; the empty one is for calls without a model.
    exact: HashMap<String, usize, Hashed>,
    /// In the order of the catalogue.
    conditions: Vec<(Matcher, usize)>,
    /// Without their `*`, the longest first.
    prefixes: Vec<(String, usize)>,
    /// Whether a dated snapshot is its family.
    snapshots: bool,
}

impl Book {
    /// `overrides` go before all catalogues, for exactly their providers and models.
    pub(crate) fn new(overrides: &Catalogue, catalogues: &[Catalogue]) -> Self {
        let mut book = Self::of_catalogues(catalogues);
        let mut layouts = Layouts::new(&overrides.quantities);
        for (provider, prices) in by_provider(&overrides.prices) {
            let mut list = List::new(overrides, provider, &prices, &mut layouts);
            // A name's family is asked when nobody else has a price for it.
            list.snapshots = false;
            for (name, position) in &list.exact {
                if let Some(model) = list.models.get_mut(*position) {
                    model.put_over(book.find(provider, Some(name)));
                }
            }
            book.put_first(provider, list);
        }
        book
    }

    fn put_first(&mut self, provider: &str, list: List) {
        let of_any = &self.of_any.lists;
        let asked = self.providers.entry(provider.to_owned());
        let asked = asked.or_insert_with(|| Asked::new(of_any.clone()));
        asked.lists.insert(0, self.lists.len());
        asked.has_overrides = true;
        self.lists.push(list);
    }

    fn of_catalogues(catalogues: &[Catalogue]) -> Self {
        let mut lists = Vec::new();
        let mut own: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        // The position of the catalogue that each list is of.
        let mut positions = Vec::new();
        for (position, catalogue) in catalogues.iter().enumerate() {
            let mut layouts = Layouts::new(&catalogue.quantities);
            for (provider, prices) in by_provider(&catalogue.prices) {
                own.entry(provider).or_default().push(lists.len());
                positions.push(position);
                lists.push(List::new(catalogue, provider, &prices, &mut layouts));
            }
        }
        let of_any = own.remove("*").unwrap_or_default();
        let providers = asked(catalogues, &own, &positions).into_iter();
        Self {
            lists,
            providers: providers
                .map(|(id, mut lists)| {
                    lists.extend(&of_any);
                    (id.to_owned(), Asked::new(lists))
                })
                .collect(),
            of_any: Asked::new(of_any),
        }
    }

    /// The model of a call.
    ///
    /// The lists are asked one after the other: overrides, then in the order of the catalogues
    /// those of the provider and of which it is an alias, then those whose models it sells. In a
    /// list a name wins before a condition, and that before a family or a longer prefix.
    pub(crate) fn find(&self, provider: &str, model: Option<&str>) -> Option<&Model> {
        let asked = self.providers.get(provider).unwrap_or(&self.of_any);
        let name = lower_case(model.unwrap_or_default());
        // Most names are exact ones of the first list that is asked.
        let (list, model) = match asked.lists.first() {
            None => return None,
            Some(first) => match self.lists[*first].exact.get(&*name) {
                Some(model) => (*first, *model),
                None => self.find_further(asked, &name)?,
            },
        };
        self.lists[list].models.get(model)
    }

    fn find_further(&self, asked: &Asked, name: &str) -> Option<Place> {
        if let Ok(known) = asked.known.lock()
            && let Some(found) = known.get(name)
        {
            return *found;
        }
        let in_list = |list: &usize| Some((*list, self.lists[*list].find(name)?));
        let found = asked.lists.iter().find_map(in_list);
        let found = found.or_else(|| {
            let first = asked.lists.first().filter(|_| asked.has_overrides)?;
            Some((*first, self.lists[*first].find_family(name)?.1))
        });
        if let Ok(mut known) = asked.known.lock() {
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.insert(name.to_owned(), found);
        }
        found
    }

    pub(crate) fn providers(&self) -> impl Iterator<Item = &String> {
        self.providers.keys()
    }

    /// Whether there are prices for providers that are not named.
    pub(crate) fn prices_any(&self) -> bool {
        !self.of_any.lists.is_empty()
    }
}

fn by_provider(prices: &[Price]) -> BTreeMap<&str, Vec<&Price>> {
    let mut by_provider: BTreeMap<&str, Vec<&Price>> = BTreeMap::new();
    for price in prices {
        by_provider.entry(&price.provider).or_default().push(price);
    }
    by_provider
}

/// The lists of each provider by its name, in the order in which they are asked: catalogue by
/// catalogue those of the provider and of whose name it has, then those whose models it sells.
/// `positions` are those of the lists' catalogues.
fn asked<'c>(
    catalogues: &'c [Catalogue],
    own: &BTreeMap<&'c str, Vec<usize>>,
    positions: &[usize],
) -> BTreeMap<&'c str, Vec<usize>> {
    type All<'c> = BTreeMap<&'c str, Vec<usize>>;
    let mut asked = own.clone();
    let add = |asked: &mut All<'c>, id: &'c str, from: &str| {
        let lists = asked.entry(id).or_default();
        for list in own.get(from).into_iter().flatten() {
            if !lists.contains(list) {
                lists.push(*list);
            }
        }
    };
    let providers = || catalogues.iter().flat_map(|catalogue| &catalogue.providers);
    for provider in providers() {
        for alias in &provider.aliases {
            add(&mut asked, alias, &provider.id);
        }
    }
    for lists in asked.values_mut() {
        lists.sort_by_key(|list| positions.get(*list));
    }
    for provider in providers() {
        for owner in &provider.resells {
            add(&mut asked, &provider.id, owner);
            for alias in &provider.aliases {
                add(&mut asked, alias, owner);
            }
        }
    }
    asked.retain(|_, lists| !lists.is_empty());
    asked
}

impl Asked {
    fn new(lists: Vec<usize>) -> Self {
        Self { lists, has_overrides: false, known: Mutex::default() }
    }
}

impl List {
    fn new<'c>(
        catalogue: &'c Catalogue,
        provider: &str,
        prices: &[&'c Price],
        layouts: &mut Layouts<'c>,
    ) -> Self {
        let about = catalogue.providers.iter().find(|about| about.id == provider);
        let mut positions: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Vec<&Price>> = Vec::new();
        for price in prices {
            let next = groups.len();
            let position = *positions.entry(price.model.to_lowercase()).or_insert(next);
            match groups.get_mut(position) {
                Some(group) => group.push(price),
                None => groups.push(vec![price]),
            }
        }
        let models = groups.iter().map(|group| Model::new(group, layouts));
        let mut list = Self {
            models: models.collect(),
            exact: HashMap::default(),
            conditions: Vec::new(),
            prefixes: Vec::new(),
            snapshots: about.is_none_or(|about: &Provider| about.snapshots),
        };
        for (model, group) in groups.iter().enumerate() {
            list.add_names(model, group);
        }
        list.prefixes.sort_by_key(|(prefix, _)| Reverse(prefix.len()));
        list
    }

    fn add_names(&mut self, model: usize, group: &[&Price]) {
        let matches: Vec<_> = group.iter().filter_map(|price| price.matches.as_ref()).collect();
        let Some(first) = group.first().filter(|_| matches.is_empty()) else {
            for condition in matches.into_iter().filter_map(|matches| matches.compile().ok()) {
                let (names, rest) = condition.split();
                for name in names {
                    self.exact.entry(name).or_insert(model);
                }
                self.conditions.extend(rest.map(|rest| (rest, model)));
            }
            return;
        };
        match Match::Pattern(first.model.clone()).compile() {
            Ok(Matcher::Equals(name)) => {
                self.exact.entry(name).or_insert(model);
            }
            Ok(Matcher::Prefix(prefix)) => self.prefixes.push((prefix, model)),
            Ok(Matcher::Contains(name)) if name.is_empty() => {
                self.prefixes.push((name, model));
            }
            Ok(other) => self.conditions.push((other, model)),
            // The check reports it.
            Err(_) => {}
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        if let Some(exact) = self.exact.get(name) {
            return Some(*exact);
        }
        if let Some((_, model)) = self.conditions.iter().find(|(it, _)| it.is_met_by(name)) {
            return Some(*model);
        }
        let family = self.find_family(name).filter(|_| self.snapshots);
        let prefix = self.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
        match (family, prefix) {
            (Some((family, _)), Some((prefix, model))) if prefix.len() > family.len() => {
                Some(*model)
            }
            (Some((_, model)), _) => Some(model),
            (None, Some((_, model))) => Some(*model),
            (None, None) => None,
        }
    }

    /// The family of a dated snapshot, and its model.
    fn find_family(&self, name: &str) -> Option<(&str, usize)> {
        let family = family(name).filter(|family| !family.is_empty())?;
        self.exact.get_key_value(family).map(|(family, model)| (family.as_str(), *model))
    }
}

/// Names almost always come in lower case already.
fn lower_case(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        true => name.to_lowercase().into(),
        false => name.into(),
    }
}

/// The name without a snapshot's date: `gpt-4o-2024-08-06`, `claude-sonnet-4-20250514` and
/// `claude-sonnet-4@20250514` are of the families `gpt-4o` and `claude-sonnet-4`.
fn family(model: &str) -> Option<&str> {
    if let Some((family, _)) = model.split_once('@') {
        return Some(family);
    }
    ["-dddd-dd-dd", "-dddddddd"].iter().find_map(|shape| {
        let (family, date) = model.split_at_checked(model.len().checked_sub(shape.len())?)?;
        let fits = |(byte, shape): (u8, u8)| match shape {
            b'd' => byte.is_ascii_digit(),
            dash => byte == dash,
        };
        date.bytes().zip(shape.bytes()).all(fits).then_some(family)
    })
}
