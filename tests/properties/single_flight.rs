//! Single flight: one leader per key, nobody waits for nobody, and everyone is told once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use seawall::clock::Instant;
use seawall::policy::single_flight::{FlightConfig, Flights, Left, Role};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn one_leads_and_everyone_else_is_told_once(
        is_taken_over in any::<bool>(), is_polling in any::<bool>(),
        deeds in vec((0_u8..3, 0_u32..3, 0_u32..6, 0_u64..400), 1..80),
    ) {
        let config = FlightConfig { flights_max: 2, followers_max: 3, lead_ms: 1_000, is_taken_over, is_polling };
        let mut flights = Flights::new(config);
        let mut leaders: BTreeMap<u32, u32> = BTreeMap::new();
        let mut waiting: BTreeSet<(u32, u32)> = BTreeSet::new();
        let mut now = Instant(0);
        for (deed, key, caller, gap) in deeds {
            now = now.plus(gap);
            match deed {
                0 => match flights.join(key, caller, now) {
                    Role::Lead => {
                        leaders.insert(key, caller);
                        waiting.remove(&(key, caller));
                    }
                    Role::Follow { leader, until } => {
                        prop_assert_eq!(leaders.get(&key), Some(&leader));
                        prop_assert!(leader != caller && until > now, "a follower has somebody to wait for");
                        waiting.insert((key, caller));
                    }
                    Role::Alone => prop_assert!(!waiting.contains(&(key, caller))),
                },
                1 => match flights.settle(key, caller) {
                    Some(told) => {
                        prop_assert_eq!(leaders.remove(&key), Some(caller));
                        for follower in told {
                            prop_assert!(waiting.remove(&(key, follower)), "told without waiting");
                        }
                        prop_assert!(!waiting.iter().any(|(of, _)| *of == key), "one was not told");
                    }
                    None => prop_assert!(leaders.get(&key) != Some(&caller) || flights.len() < leaders.len()),
                },
                _ => match flights.leave(key, caller, now) {
                    Left::TakenOver(heir) => {
                        prop_assert!(is_taken_over && waiting.remove(&(key, heir)));
                        leaders.insert(key, heir);
                    }
                    Left::Abandoned(told) => {
                        prop_assert!(!is_taken_over);
                        for follower in told {
                            prop_assert!(waiting.remove(&(key, follower)));
                        }
                        leaders.remove(&key);
                    }
                    Left::Quietly => {
                        waiting.remove(&(key, caller));
                        if leaders.get(&key) == Some(&caller) {
                            leaders.remove(&key);
                        }
                    }
                },
            }
            prop_assert!(flights.len() <= 2);
            // A dead flight that made room for another took its followers with it: they find out when they ask again.
            if flights.len() < leaders.len() {
                leaders.clear();
                waiting.clear();
                for key in 0..3 {
                    flights.forget(key);
                }
            }
        }
    }
}
