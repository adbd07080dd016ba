package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
)

// wireNames lists the wires that are built in.
func wireNames() []string { return ingest.Wires() }

// maxProfile is the greatest size of a profile file, in bytes.
const maxProfile = 256 << 10

// readProfile reads the profile file of a wire; "" is the embedded one. Every
// mistake in it is in the error, which is a config.Errors.
func readProfile(wire, path string) (ingest.Profile, error) {
	if path == "" {
		return ingest.DefaultProfile(wire)
	}
	f, err := os.Open(path)
	if err != nil {
		return ingest.Profile{}, config.Errors{{File: path, Message: err.Error()}}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProfile+1))
	if err == nil && len(text) > maxProfile {
		err = fmt.Errorf("the file is larger than %d bytes", maxProfile)
	}
	if err != nil {
		return ingest.Profile{}, config.Errors{{File: path, Message: err.Error()}}
	}
	profile, err := ingest.LoadProfile(wire, text)
	var wrong ingest.ProfileErrors
	if !errors.As(err, &wrong) {
		return profile, err
	}
	var errs config.Errors
	for _, one := range wrong {
		message := one.Message
		if one.Key != "" {
			message = one.Key + ": " + message
		}
		errs = append(errs, config.Problem{File: path, Line: one.Line, Col: one.Column, Name: one.Key, Message: message})
	}
	return profile, errs
}

// checkProfiles reads the profile files of all links.
func checkProfiles(c *config.Config) config.Errors {
	var errs config.Errors
	for _, l := range c.Links {
		if l.Profile == "" {
			continue
		}
		_, err := readProfile(l.Wire, l.Profile)
		var wrong config.Errors
		switch {
		case errors.As(err, &wrong):
			errs = append(errs, wrong...)
		case err != nil:
			errs = append(errs, config.Problem{File: l.Profile, Message: err.Error()})
		}
	}
	return errs
}
