// Package pack is the container of evidence.md § 5: a ZIP file that has one form for its
// entries, with the two lists of their hashes. It writes that form, and it reads a file
// and compares it byte for byte with the form; archive/zip would take many other files.
// It is pure: bytes come from an io.ReaderAt and go to an io.Writer.
package pack
