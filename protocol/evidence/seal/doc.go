// Package seal is what outsiders' tools check of a pack: its CAdES signature and the RFC
// 3161 stamps over it and over the desk's notes (evidence.md § 5). The signature has one form, which is
// built again and compared; a stamp is anybody's, so it is read strictly: every byte of it
// is signed, or has one value only, or is that of a certificate in use.
//
// Own code and not a library of CMS: those read leniently, so that a changed byte outside of
// signatures would pass, and none builds the form of the page. openssl checks both in tests.
package seal
