//! Which slot was used longest ago: a list over slot numbers, every change O(1).

/// No slot.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    older: u32,
    newer: u32,
}

/// Slots in the order of their use.
#[derive(Clone, Debug)]
pub(super) struct Recency {
    links: Vec<Link>,
    oldest: u32,
    newest: u32,
}

impl Recency {
    pub(super) const fn new() -> Self {
        Self { links: Vec::new(), oldest: NONE, newest: NONE }
    }

    /// The slot that was used longest ago.
    pub(super) const fn oldest(&self) -> Option<u32> {
        if self.oldest == NONE { None } else { Some(self.oldest) }
    }

    /// Puts a slot in that is not there, as the latest used.
    pub(super) fn add(&mut self, slot: u32) {
        let link = Link { older: self.newest, newer: NONE };
        match self.links.get_mut(slot as usize) {
            Some(place) => *place = link,
            None => self.links.resize(slot as usize + 1, link),
        }
        match self.links.get_mut(self.newest as usize) {
            Some(newest) => newest.newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    /// Takes a slot out that is there.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(&Link { older, newer }) = self.links.get(slot as usize) else { return };
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.newest = older,
        }
    }

    /// Makes a slot that is there the latest used.
    pub(super) fn touch(&mut self, slot: u32) {
        if slot != self.newest {
            self.remove(slot);
            self.add(slot);
        }
    }
}
