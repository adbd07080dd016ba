// Package catalogue holds what is written for people in English and Chinese: Text, a
// sentence in both; the names of values and codes; and the Chinese of the errors that
// lower rooms, the broker's client and the kernel report in English.
//
// A text is written in both languages where it is made (Both, Textf). What is English
// only, since it comes from a room that knows no languages or over the control socket, is
// translated when it is shown: Chinese looks for it in chinese.txt, where {} stands for
// what differs, and translates what stands in its place as well. A test in
// agent/houserules finds every error of the code and fails where its Chinese is missing.
//
// Everything here is pure and safe for concurrent use.
//
// Source: cli.md, yuanlu.
package catalogue
