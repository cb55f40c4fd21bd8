//! The pool beside the calls: set-ups, checks, endings, cleaning up by hand.

use wasm_bindgen::prelude::*;

use super::calls::Core;
use crate::engine::step::CallId;
use crate::policy::lease::{Cleanup, PoolWork};

/// Kinds of work, in the low two bits of what `nextPoolWork` returns.
mod work {
    pub(super) const RETIRE: u32 = 0;
    pub(super) const SET_UP: u32 = 1;
    pub(super) const ASK_AT: u32 = 2;
}

#[wasm_bindgen]
impl Core {
    /// Takes in what the check of a call's connection found, and returns the call's next step.
    pub fn checked(
        &mut self,
        call: u32,
        #[wasm_bindgen(js_name = isWell)] is_well: bool,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) -> u32 {
        let now = self.at(now_ms);
        let step = self.engine.checked(CallId::from_number(call), is_well, now);
        self.put(step)
    }

    /// The number of the connection that a call uses; 0 for none.
    #[wasm_bindgen(js_name = connectionOf)]
    pub fn connection_of(&self, call: u32) -> u32 {
        self.engine.connection_of(CallId::from_number(call))
    }

    /// What to do next for connections that nobody uses, or -1: in bits 0 and 1 whether to close it (0), to set it up (1,
    /// within `TIMEOUT_MS` of the register) or to ask again at `AT_MS` (2); above them the connection's number.
    #[wasm_bindgen(js_name = nextPoolWork)]
    pub fn next_pool_work(&mut self, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> f64 {
        let now = self.at(now_ms);
        let packed = |connection: u32, kind: u32| f64::from(connection) * 4.0 + f64::from(kind);
        match self.engine.next_pool_work(now) {
            Some(PoolWork::Retire(connection)) => packed(connection, work::RETIRE),
            Some(PoolWork::SetUp(connection)) => {
                self.register.put_timeout(self.engine.config().pool.setup_timeout_ms);
                packed(connection, work::SET_UP)
            }
            Some(PoolWork::AskAt(at)) => {
                self.register.put_at(at);
                packed(0, work::ASK_AT)
            }
            None => -1.0,
        }
    }

    /// Reports how the set-up of a connection ended.
    #[wasm_bindgen(js_name = setUp)]
    pub fn set_up(
        &mut self,
        connection: u32,
        #[wasm_bindgen(js_name = isWell)] is_well: bool,
        #[wasm_bindgen(js_name = nowMs)] now_ms: f64,
    ) {
        let now = self.at(now_ms);
        self.engine.set_up(connection, is_well, now);
    }

    /// Closes connections by hand, and returns how many: -1 for the idle ones, -2 for all, else the one with this number.
    #[wasm_bindgen(js_name = cleanUp)]
    pub fn clean_up(&mut self, which: f64, #[wasm_bindgen(js_name = nowMs)] now_ms: f64) -> u32 {
        let now = self.at(now_ms);
        let what = match which {
            -1.0 => Cleanup::Idle,
            -2.0 => Cleanup::All,
            _ => Cleanup::One(which as u32),
        };
        self.engine.clean_up(what, now)
    }
}
