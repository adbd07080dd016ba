// Package page draws what people see of the case desk in a browser (casework.md § 14): lists,
// one screen for each case, statistics, people, help, and a view for printing. It renders
// templates that are part of the program, in English and Chinese; commands go from the
// browser to POST /v1/work/{do}, and every question asked here is in the reading log as the
// same question by GET would be (casework.md § 13). Nothing is loaded from elsewhere.
package page
