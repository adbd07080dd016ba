package topics_test

import (
	"fmt"

	"yuanlu/protocol/topics"
)

func ExampleNewNames() {
	n, err := topics.NewNames("yuanlu", "t-00423")
	fmt.Println(n.Case(), n.Ack(), err)

	down, rest := n.ParseDown("yuanlu/v1/t-00423/dn/cmd/status-get")
	fmt.Println(down == topics.DownCmd, rest)

	_, err = topics.NewNames("yuanlu", "t/00423")
	fmt.Println(err)
	// Output:
	// yuanlu/v1/t-00423/up/case yuanlu/v1/t-00423/dn/ack <nil>
	// true status-get
	// terminal: topics: bad name: byte 2 is '/', want a-z, 0-9 or -
}

// What a back office sends can be checked with the schemas that the terminal uses.
func ExampleValidator_Check() {
	v, err := topics.NewValidator()
	if err != nil {
		fmt.Println(err)
		return
	}
	channel, _ := topics.ChannelOf("ack")
	fmt.Println(v.Check(channel.Schema, []byte(`{"stream":"2ZAK9TD38K07WR1R2FC4DVKKJF","acked_seq":7}`)))
	fmt.Println(v.Check(channel.Schema, []byte(`{"stream":"2ZAK9TD38K07WR1R2FC4DVKKJF","acked_seq":-7}`)))
	// Output:
	// <nil>
	// topics: payload breaks its schema ack.v1 at "/acked_seq": a smaller number, want at least 0
}
