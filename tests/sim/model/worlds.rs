//! Small worlds, in which a law is looked at quickly.

use seawall::rng::{Rng, SplitMix, mix};

use crate::fleet::clock::{ClockErrors, Ms, between};
use crate::fleet::faults::{Fault, Faults, Trouble};
use crate::fleet::plan::{Plan, Policy};

/// Nothing goes wrong for two minutes.
pub(crate) fn calm(policy: Policy, seed: u64) -> Plan {
    Plan {
        colos: 5,
        faults: Faults::default(),
        outage: (60_000, 60_000),
        end: 120_000,
        ..Plan::outage(policy, 100, seed, 0)
    }
}

/// One outage of a minute and a half in a fleet of 100 in five colos, and time to come back.
pub(crate) fn outage(policy: Policy, seed: u64) -> Plan {
    Plan { colos: 5, ..Plan::outage(policy, 100, seed, 90_000) }
}

/// Everything goes wrong that can, at times that the seed decides; the database works for the last two minutes.
pub(crate) fn storm(policy: Policy, seed: u64) -> Plan {
    const TROUBLED_MS: Ms = 150_000;
    let mut rng = SplitMix::new(mix(seed ^ 0x5707));
    let mut plan = Plan {
        colos: 5,
        life_ms: 60_000.0,
        freezing: 0.2,
        clocks: ClockErrors::WILD,
        outage: (10_000, TROUBLED_MS),
        end: TROUBLED_MS + 120_000,
        ..Plan::outage(policy, 100, seed, 0)
    };
    let shares = [rng.unit(), rng.unit(), rng.unit()];
    let database = [
        Trouble::Refused,
        Trouble::Fails { after_ms: 1_000 },
        Trouble::Silent,
        Trouble::Slow { factor: 1.0 + 400.0 * shares[0] },
        Trouble::Errors { share: shares[0] },
    ];
    let store = [
        Trouble::KvDown,
        Trouble::KvSilent,
        Trouble::KvLoses { share: shares[1] },
        Trouble::KvCorrupts { share: shares[2] },
        Trouble::KvEmpty,
        Trouble::NearGone,
    ];
    let pick = |from: &[Trouble], rng: &mut SplitMix| from[(rng.unit() * from.len() as f64) as usize];
    let mut faults = Vec::new();
    for (troubles, count) in [(&database[..], 5), (&store[..], 5)] {
        for _ in 0..count {
            let from = between(10_000, TROUBLED_MS - 10_000, &mut rng);
            let to = (from + between(1_000, 60_000, &mut rng)).min(TROUBLED_MS);
            let trouble = pick(troubles, &mut rng);
            let is_everywhere = rng.unit() < 0.6;
            let colo = between(0, 4, &mut rng) as u16;
            faults.push(if is_everywhere {
                Fault::everywhere(from, to, trouble)
            } else {
                Fault::in_colo(colo, from, to, trouble)
            });
        }
    }
    plan.faults = Faults(faults);
    plan
}
