// Package calllog is in charge of the call journal: what happened to every call, append-only, with one terminal write.
//
// A call's arrival is journalled, and fsynced, before its 200 OK (reliability.md section 2). The journal is a local
// file, so calls are admitted and accounted for while PostgreSQL is away; a Copier brings the records into rows within
// a second and, inside the same transaction, hands each one to the application (which inserts the jobs that follow).
//
//	call goroutine --Note/Finish--> Journal (one writer goroutine, group commit) --file--> Copier --tx--> rows + jobs
//
// # File
//
// data/journal/NNNNNNNNNNNN.log, segments named by the sequence number of their first record, each preallocated so that
// bookkeeping outlives a full disk. A record is
//
//	length uint32 LE | CRC-32C of the payload uint32 LE | payload (JSON of Record)
//
// Length 0 is the preallocated rest. A record whose length or sum is wrong ends the segment if it is the last one (a
// torn tail: what was promised was fsynced before it) and is an alarm in any other.
//
// # Invariants
//
//   - Sequence numbers grow by one over all segments; a record is copied at most once per database, because the cursor
//     is updated in the transaction that writes the rows.
//   - Every call has exactly one begin and at most one end; Finish is idempotent. A call without end found at start was
//     cut by a crash: Open returns it with its last state, and whoever starts the system ends it.
//   - A segment is removed only when all of it was copied and no live call has its begin in it.
package calllog
