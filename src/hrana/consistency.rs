//! Reads that must see earlier writes, as they stand on the wire.
//!
//! A server tells with each result how far its log is; a replica that is asked with that index waits until it has come
//! so far. For a batch the index of the batch counts, and those of its steps do not. A script neither takes nor tells one.

use super::proto::{PipelineRequest, PipelineResponse, StreamRequest, StreamResponse, StreamResult};

impl PipelineRequest {
    /// Makes every statement and batch ask for at least `index`. One that asks for a later index keeps it.
    pub fn ask_for(&mut self, index: u64) {
        for request in &mut self.requests {
            let asked = match request {
                StreamRequest::Execute { stmt } => &mut stmt.replication_index,
                StreamRequest::Batch { batch } => &mut batch.replication_index,
                _ => continue,
            };
            *asked = Some(asked.map_or(index, |own| own.max(index)));
        }
    }
}

impl PipelineResponse {
    /// The latest index that it names; `None` when it holds no result, or its server tells none.
    #[must_use]
    pub fn replication_index(&self) -> Option<u64> {
        let index_of = |result: &StreamResult| match result {
            StreamResult::Ok { response: StreamResponse::Execute { result } } => result.replication_index,
            StreamResult::Ok { response: StreamResponse::Batch { result } } => result.replication_index,
            _ => None,
        };
        self.results.iter().filter_map(index_of).max()
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{Batch, BatchResult, Error, StmtResult};
    use super::*;

    #[test]
    fn statements_and_batches_ask_for_an_index_and_scripts_do_not() {
        let mut request = PipelineRequest::single("SELECT 1");
        request.requests.insert(0, StreamRequest::Batch { batch: Batch::default() });
        request.requests.insert(0, StreamRequest::GetAutocommit);
        request.ask_for(7);
        let asked = |request: &PipelineRequest| {
            let of = |one: &StreamRequest| match one {
                StreamRequest::Execute { stmt } => stmt.replication_index,
                StreamRequest::Batch { batch } => batch.replication_index,
                _ => None,
            };
            request.requests.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(asked(&request), [None, Some(7), Some(7), None]);
        request.ask_for(3);
        assert_eq!(asked(&request), [None, Some(7), Some(7), None]);
        request.ask_for(u64::MAX);
        assert_eq!(asked(&request), [None, Some(u64::MAX), Some(u64::MAX), None]);
    }

    #[test]
    fn an_answer_names_the_latest_index_of_its_results() {
        let execute = |index| StreamResult::Ok {
            response: StreamResponse::Execute { result: StmtResult { replication_index: index, ..Default::default() } },
        };
        let batch = |index| StreamResult::Ok {
            response: StreamResponse::Batch { result: BatchResult { replication_index: index, ..Default::default() } },
        };
        let closed = || StreamResult::Ok { response: StreamResponse::Close };
        let failed = || StreamResult::Error { error: Error::default() };
        let answer = |results| PipelineResponse { results, ..Default::default() }.replication_index();
        assert_eq!(answer(vec![execute(Some(9)), batch(Some(12)), execute(None), failed(), closed()]), Some(12));
        assert_eq!(answer(vec![execute(None), closed()]), None);
        assert_eq!(answer(vec![failed(), closed()]), None);
        assert_eq!(answer(Vec::new()), None);
    }
}
