//! What will happen: one list per millisecond, served in the order in which it was filled.

use super::clock::Ms;

/// Events of a run whose length is known.
pub(crate) struct Queue<E> {
    now: Ms,
    lists: Vec<Vec<E>>,
    /// The list of `now`, turned around, so that taking from its end is taking in order.
    current: Vec<E>,
}

impl<E> Queue<E> {
    /// An empty queue for the times before `end`.
    pub(crate) fn new(end: Ms) -> Self {
        let mut lists = Vec::new();
        lists.resize_with(end as usize, Vec::new);
        Self { now: 0, lists, current: Vec::new() }
    }

    /// The time of the event that was taken last.
    pub(crate) const fn now(&self) -> Ms {
        self.now
    }

    /// Puts an event in; one that would happen after the end is dropped, one of the past happens now.
    pub(crate) fn push(&mut self, at: Ms, event: E) {
        if let Some(list) = self.lists.get_mut(at.max(self.now) as usize) {
            list.push(event);
        }
    }

    /// Takes the next event out.
    pub(crate) fn pop(&mut self) -> Option<E> {
        loop {
            if let Some(event) = self.current.pop() {
                return Some(event);
            }
            let list = self.lists.get_mut(self.now as usize)?;
            if list.is_empty() {
                self.now += 1;
            } else {
                self.current = std::mem::take(list);
                self.current.reverse();
            }
        }
    }
}
