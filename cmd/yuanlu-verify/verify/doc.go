// Package verify does the checks of evidence.md § 6 on one pack, in the order of its table,
// and collects what is printed: from leaves and journal, never from the report. It reads
// the pack through an io.ReaderAt and knows no network, no clock and no other file.
package verify
