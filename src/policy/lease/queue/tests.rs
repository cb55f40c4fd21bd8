use super::*;

const AFTER_MS: Millis = 100;
const ALL: [Priority; 4] = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical];

/// A queue to which `(priority, ms)` came, as calls from 1, and which is asked at `now`.
fn queue(came: &[(Priority, Millis)], order: Order, now: Millis) -> Queue {
    let mut it = Queue::default();
    for (call, (priority, ms)) in came.iter().enumerate() {
        let mut waiter = it.newcomer(call as u32 + 1, *priority, None, Instant::NEVER, Instant(10_000 + ms));
        waiter.asks_by = Instant::NEVER;
        it.put(waiter);
    }
    it.turns = 1;
    it.turn_to(order, AFTER_MS, Instant(10_000 + now));
    it
}

fn ticket_of(it: &Queue, call: u32) -> Ticket {
    it.lines.iter().flatten().find(|waiter| waiter.call == call).unwrap().ticket
}

/// The calls in the order in which they are served, which both ways to ask agree upon.
fn served(mut it: Queue) -> Vec<u32> {
    let mut calls = Vec::new();
    while let Some(call) = it.next() {
        let ticket = ticket_of(&it, call);
        assert_eq!(it.ahead_of(Some(ticket), Priority::Medium, 1, Instant(20_000)), 0, "call {call}");
        for waiter in it.lines.clone().iter().flatten().filter(|waiter| waiter.call != call) {
            assert_eq!(it.ahead_of(Some(waiter.ticket), Priority::Medium, 1, Instant(20_000)), 1);
        }
        it.remove(ticket);
        calls.push(call);
    }
    assert!(it.is_empty());
    calls
}

#[test]
fn equally_urgent_ones_are_served_in_order() {
    let came = [(Priority::Medium, 0), (Priority::Medium, 0), (Priority::Medium, 7)];
    assert_eq!(served(queue(&came, Order::Fifo, 50)), [1, 2, 3]);
    assert_eq!(served(queue(&came, Order::Adaptive, 100)), [1, 2, 3]);
}

#[test]
fn the_urgent_go_first() {
    let came = ALL.map(|priority| (priority, 0));
    assert_eq!(served(queue(&came, Order::Fifo, 50)), [4, 3, 2, 1]);
    assert_eq!(served(queue(&came, Order::Adaptive, 500)), [4, 3, 2, 1]);
}

#[test]
fn a_level_is_worth_half_a_second() {
    let came = [(Priority::Low, 0), (Priority::Critical, 1_499), (Priority::Critical, 1_500), (Priority::High, 1_001)];
    assert_eq!(served(queue(&came, Order::Fifo, 1_500)), [2, 1, 3, 4]);
}

#[test]
fn of_a_standing_queue_the_newest_burst_goes_first_in_its_own_order() {
    let medium = Priority::Medium;
    let came = [(medium, 0), (medium, 0), (medium, 50), (medium, 90), (medium, 90), (medium, 90)];
    assert_eq!(served(queue(&came, Order::Adaptive, 101)), [4, 5, 6, 3, 1, 2]);
    assert_eq!(served(queue(&came, Order::Lifo, 90)), [4, 5, 6, 3, 1, 2]);
    let came = [(Priority::Critical, 0), (Priority::High, 200), (Priority::Low, 1_000), (Priority::High, 900)];
    assert_eq!(served(queue(&came, Order::Adaptive, 1_000)), [4, 1, 2, 3]);
}

#[test]
fn while_the_newest_go_first_one_turn_in_eight_goes_round_the_priorities() {
    let came = [(Priority::Low, 0), (Priority::Medium, 1), (Priority::High, 2), (Priority::Critical, 3)];
    let mut it = queue(&came, Order::Adaptive, 200);
    let mut turns = [0; 5];
    for _ in 0..320 {
        it.serve(None);
        it.turn_to(Order::Adaptive, AFTER_MS, Instant(10_200));
        turns[it.next().unwrap() as usize] += 1;
    }
    assert_eq!(turns, [0, 10, 10, 10, 290]);
}

#[test]
fn a_newcomer_has_those_ahead_who_are_served_before_it() {
    let came = [(Priority::Low, 0), (Priority::Medium, 0), (Priority::Critical, 0)];
    let mut it = queue(&came, Order::Fifo, 50);
    for (priority, ahead) in [(Priority::Low, 3), (Priority::Medium, 2), (Priority::High, 1), (Priority::Critical, 1)] {
        assert_eq!(it.ahead_of(None, priority, 10, Instant(10_050)), ahead, "{priority:?}");
    }
    assert_eq!(it.ahead_of(None, Priority::Low, 2, Instant(10_050)), 2, "no more than is asked for");
    let mut standing = queue(&came, Order::Adaptive, 200);
    assert_eq!(standing.ahead_of(None, Priority::Critical, 10, Instant(10_200)), 0);
    assert_eq!(
        standing.ahead_of(None, Priority::Low, 10, Instant(10_200)),
        2,
        "it came 200 ms later, which is less than a level"
    );
}

#[test]
fn the_silent_do_not_count_and_are_dropped() {
    for order in [Order::Fifo, Order::Lifo] {
        let mut it = queue(&[(Priority::Medium, 0), (Priority::Medium, 1), (Priority::Medium, 2)], order, 50);
        for call in [1, 3] {
            let silent = Waiter { asks_by: Instant(10_040), ..*it.get(ticket_of(&it, call)).unwrap() };
            it.put(silent);
        }
        let own = ticket_of(&it, 2);
        assert_eq!(it.ahead_of(Some(own), Priority::Medium, 5, Instant(10_050)), 0);
        assert_eq!((it.len(), it.next()), (1, Some(2)));
    }
}

#[test]
fn a_clock_that_steps_back_changes_no_order() {
    let came = [(Priority::Medium, 5_000), (Priority::Medium, 0), (Priority::Medium, 1)];
    assert_eq!(served(queue(&came, Order::Fifo, 50)), [1, 2, 3]);
}

#[test]
fn a_queue_stands_that_was_not_empty_for_long() {
    let mut it = queue(&[(Priority::Medium, 0)], Order::Adaptive, 0);
    assert!(!it.stands(100, Instant(10_100)) && it.stands(100, Instant(10_101)));
    let ticket = ticket_of(&it, 1);
    it.serve(Some(ticket));
    assert!(!it.stands(100, Instant(11_000)));
    let waiter = it.newcomer(2, Priority::Medium, None, Instant::NEVER, Instant(11_000));
    it.put(waiter);
    assert!(!it.stands(100, Instant(11_050)));
}
