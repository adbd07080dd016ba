// Package ledger is the durable truth of one terminal: records, verdicts, cases and
// what waits for the back office, in one SQLite database. One exported method is one
// transaction; when it returns nil, a power cut changes nothing about it. Sent and Acked are
// saved some together: after a power cut an event may be published once more.
//
// # The folder
//
//	yuanlu.db     the store (WAL, synchronous=FULL); its WAL and index beside it while open
//	keys/token    token keys, newest first; keys/case, which never changes
//	store-id      made when the first opening is complete: from then on what is missing is lost
//	lock          flock; the pid, "open" while the store is open, how far its WAL goes (lock.go)
//	ballast       4 MiB of room to delete and open with on a full disk
//	yuanlu.db.upgrade  the copy of an older store that is being built (upgrade.go)
//	quarantine/   what was found damaged, a folder each; found.json in it holds what was
//	              kept and lost, and counts until the folder is moved away (found.go)
//
// Nothing in this process opens the database but through SQLite while it is open.
// SQLite locks with OFD locks, which survive another part of the process doing so.
//
// # Tables
//
// migrations/0001.sql describes each. record holds every sighting; the row of a first
// sighting is the event as completed by its copies. key holds what events are found
// by, without the newest: their keys are kept in memory and written sorted, some thousands
// together (keyindex.go), and the days of status with them (days.go). The payers of sales are found by blocks of hashes (payer.go).
//
// The JSON of records, verdicts and events is packed (package packed). Dump has the rows as JSON.
//
// # Sums
//
// SQLite finds a broken page and not a flipped bit in a text or a number. So every page
// of yuanlu.db ends with a sum over all its bytes and its number (pagesum.go), compared
// whenever the page is read from the file: a flipped byte in a row, a key, an inner page
// of a tree, the list of free pages or the header is damage, found at the latest when
// it is read. No answer rests on a page that does not match, so
// "nothing found" never comes from a flipped key. Pages in the WAL are guarded by its
// frames' checksums (wal.go), which are compared when the store is opened: a page of the
// WAL that flips on the disk while the process runs is not noticed when it is read, and
// a checkpoint writes it with a sum that matches. What a row's own checksum is for is the salvage: of a page
// that does not match it takes the rows that have one and fit. What becomes of the others:
//
//	table       own checksum   in a salvage
//	------------------------------------------------------------------------------------
//	record      yes            taken, judged again; without it: counted as lost
//	verdict     yes            made again from the records, with revisions from 1 on
//	outbox      yes            cases published again in the new stream; events taken
//	quarantine  yes            cases published again in the new stream
//	untold      yes            published again in the new stream
//	key         no             made again from the records
//	payer       no             made again from the records
//	held        no             made again from the records
//	cases       no             made again from the verdicts, under the ids that the records have
//	followed    no             made again from the records, in the new stream
//	refund_after no            likewise
//	day_run     no             made again from the records
//	day_due     no             all days are due, but those of which records may be lost
//	tally       no             published again in the new stream
//	digest      no             each day of the last 40 is reported again, as one that may lack something
//	digest_part yes            made again from the records, in a new stream
//	daily       no             made again from the records
//	link        no             taken from pages that match, else "unknown"
//	memory      no             taken from pages that match
//	meta        no             bounds taken from a page that matches, else made again from the
//	                           records; the stream is a new one, and the outbox's figures
//	                           begin again with it; names of rules: written with the verdicts
//
// Figures are never less than what the rows prove (load.go): the newest sequence is
// at least that of every entry, sent or acknowledged, the newest record at least that of
// every record, verdict, case and unreleased verdict; the journal begins where its first record
// has it. A row of ours in the way of another is a contradiction: damage, salvaged in the
// same process, and not a refusal of the record.
//
// # Sequences and refusals
//
// The back office acknowledges cumulatively: acked_seq 7 means that everything up to 7 is
// settled there, stored or refused. So a refusal settles its sequence for good. A case
// that is put back (Requeue) under that sequence would be covered by the next
// acknowledgement of any later case, also when the copy that was sent again never got
// beyond the broker: the only copy would be gone. It therefore gets a new sequence at the
// end of the stream and keeps its id and its bytes, time included. The old sequence is a
// gap that both sides know of: the refusal, or the event outbox.quarantined, has named it.
// The back office stores an id that it has only refused so far, and takes one that it
// has stored for a repetition, as always. Attempts never change a sequence; putting back
// by hand is no attempt. last_seq grows by it.
//
// A refusal of what was never handed out changes nothing: it cannot have been read.
// Refused cases are never dropped, so they count against the outbox's bounds like cases
// that wait. Of refused events the newest 1000 are kept.
//
// A full outbox first forgets what is delivered, then drops events. outbox.evicted, of
// which there is at most one, stands outside the bounds: it never takes a case's place.
//
// # Failure
//
// A commit that returns an error is unknown, not undone. After any I/O error the store
// closes itself without a checkpoint, has the kernel forget the files' pages (after
// a failed fsync they are clean and wrong), and the next call opens it with its
// checks; every method returns ErrUnavailable meanwhile. The caller calls Apply again
// with the same arrivals. This process is the only writer and numbers the records, so
// whether a batch is on the disk is whether its numbers are; its arrivals are then
// answered with what was decided, and not stored again (attempt.go). A full disk is
// ErrDiskFull, leaves the store open for reading, and passes by itself.
//
// # Damage
//
// Damage never keeps the store from opening. What stands in the way of a file or folder
// of the store is moved into quarantine/ (clearway.go). A damaged database and its WAL
// are moved there whole, before SQLite may write over a byte of them, and a new store is
// built of what is readable (salvage.go).
//
// A WAL is read to its end (wal.go). Bad frames with two or more commits of the same
// round behind them, or before the mark in the file lock, are damage. Everything else is
// the torn end of a power cut. The mark is written after every commit and never synced:
// after a kill it is exact; after a power cut it is as old as what the kernel had
// written of its own accord (30 s as Linux is delivered), and what was lost from the end
// of the WAL since then cannot be distinguished from a torn end.
//
// # Salvage
//
// Rows are read out of the pages, not through the tables' trees: out of every version of
// every page, in the database file and in every frame of the WAL, also behind the bad
// one (wreck.go, cells.go, shapes.go). A row with a checksum counts wherever it fits; one
// without, only in a page that is whole: whose sum matches, or whose frame's checksum
// goes on from the frame before it. Decided is this:
//
//   - Of a record the newest version wins: a later frame before an earlier one, both
//     before the database file, that before frames of earlier rounds of the WAL and
//     frames that were never committed.
//   - Records are never changed but completed or dated again (redate.go), and never removed
//     but by retention. So one
//     that lies only in old versions of pages or in free pages counts, except when it is
//     of a day that retention has come to (bounds.RemovedDay). There it may have the date
//     from before it was dated again, which a salvage cannot make again.
//   - Everything that is made of records is made again: keys, payers, verdicts, cases,
//     under the numbers and case ids that the records bear. So nothing that was removed
//     from those tables comes back.
//   - Where records are lost, the journal begins the day after the last of them may have
//     been. A refund whose sale may be among them is history_gap, which is no alarm. An
//     old verdict that had found its sale, or the cancellation, stands if that is lost.
//   - A case event that waited and whose refund is lost is sent as it was, under a new
//     sequence and its old id.
//   - Of a hold the newest version counts wherever it lies: one that was forgotten comes
//     back and is forgotten again. Who repeats its ask gets the first answer.
//   - Events and what wires remember are taken from the newest whole version of a page
//     that is in use. One that was removed in a lost frame comes back: it is sent twice.
//
// A salvage begins a new stream and publishes every case again in it, as historical: which
// sequences the lost part had used cannot be known. A back office joins them by
// their case ids. The revisions of verdicts begin at 1 again.
//
// # What a crash leaves
//
// In the table, "the firmware sends it again" means that it got no confirm; the judge
// takes what comes again for a copy, under the same case id.
//
//	killed                             state on reopen                                  test
//	----------------------------------------------------------------------------------------------------------------
//	after the keys are made            keys/ without a store, no store-id: the store    TestKillAtEachStep/open.keys-1
//	                                   is made, the keys stay
//	after the store is made, before    the store is there, empty; store-id is written   TestKillAtEachStep/open.store-1
//	store-id
//	before the commit of anything      as before it; the firmware sends it again        TestKillAtEachStep/commit-N
//	(records, release, saving,
//	retention)
//	after the commit, before it was    it is there; the firmware sends it again and     TestKillAtEachStep/committed-N
//	answered                           it is a copy; a case is sent with the same id
//	before the keys of the newest      collected again from the records                 TestTheSameKeysWhereverTheyAre,
//	records are written                                                                 TestKillAtEachStep/committed-N
//	between two digests of days, or    the digest is made again, or its parts wait, all of     TestKillAtEachStep/{commit,committed}-N
//	after one was made                 them; what was acknowledged is sent again or forgotten
//	after a commit that gave an error  there or not; either way as in the two above     TestKillByIOErrors, TestALostCommitIsRecognised
//	between PUBACK and its saving      sent again with the same id and sequence         TestKillAtEachStep/committed-N
//	between dn/ack and its saving      as above; the back office acknowledges it again  TestAcknowledgementsAreSavedTogether,
//	(256 cases or a second together)                                                    TestKillAtEachStep/commit-N
//	between two steps of a great       the first part is forgotten, the rest is sent    TestAcknowledgementsAreSavedTogether
//	acknowledgement (512 each)         again
//	while a case is put back           in quarantine, or waiting under its new sequence    TestRequeueCutShort
//	before a new token key is written  the old ring; the rotation has not happened      TestKillAtEachStep/rotate.write-1
//	while a refund is held, or its     what was answered or released is there, once, and  TestKillWhileHolding
//	hold ends                          so are its events
//	while records get their date again what is dated and flagged stays, the rest goes   TestKillWhileRedating
//	                                   on; each verdict is released once
//	a checkpoint cut short             the WAL is whole and is played again             TestKillAtRandomMoments
//	after the damage was seen          seen again                                       TestKillInASalvage/salvage.begin
//	after "pending" holds moving       the files are moved, then as below               TestKillInASalvage/salvage.pending
//	after they are moved               the new store is built                           TestKillInASalvage/salvage.moved
//	while it is built                  what was built is thrown away and built again    TestKillInASalvage/{salvage.build,commit,committed}
//	before it gets its name            built again                                      TestKillInASalvage/salvage.rename
//	before "pending" is removed        the new store stays                              TestKillInASalvage/salvage.built
//	at a random moment                 one of the above                                 TestKillAtRandomMoments
//
// Source: topics.md, Case event; topics.md rules 1, 4–6, 8, 9; records.md, token;
// verdicts.md § 2 (pending_grace).
package ledger
