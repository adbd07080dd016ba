package config_test

import (
	"fmt"

	"yuanlu/agent/config"
)

// Every mistake of a file is found at once, with its place.
func ExampleParse() {
	o := config.Options{Wires: []string{"mispos", "cup8583", "smart"}}
	c, err := config.Parse("yuanlu.toml", []byte(`[terminal]
id = "t-00423"
[[link]]
name = "pos"
wire = "mispos"
port = "/dev/ttyS1"
`), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Terminal.ID, c.Links[0].Wire, c.Links[0].Baud)

	_, err = config.Parse("yuanlu.toml", []byte(`[terminal]
id = "t-00423"
[[link]]
name = "pos"
wire = "misops"
prot = "/dev/ttyS1"
`), o)
	fmt.Println(err)
	// Output:
	// t-00423 mispos 9600
	// yuanlu.toml:3:3: link[1].port is missing
	// yuanlu.toml:5:8: wire wants one of mispos, cup8583, smart; did you mean "mispos"?
	// yuanlu.toml:6:1: unknown name "prot" in [link]; did you mean "port"?
}
