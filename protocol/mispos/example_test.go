package mispos_test

import (
	"fmt"

	"yuanlu/protocol/mispos"
)

// The DATA of a frame: a sale of 10.00 yuan, and the error for one that is cut short.
func ExampleLayout_Decode() {
	layout, err := mispos.NewLayout(mispos.Standard())
	if err != nil {
		fmt.Println(err)
		return
	}
	in := []byte("\x9F\x01\x00\x01\x02\x9F\x02\x00\x0C000000001000\x9F\x0F\x00\x06123456")
	var m mispos.Message
	if err := layout.Decode(&m, in); err != nil {
		fmt.Println(err)
		return
	}
	kind, _ := m.Byte(mispos.Type)
	fmt.Println(kind, m.Text(mispos.Amount), m.Text(mispos.AuthCode))

	err = layout.Decode(&m, in[:len(in)-1])
	fmt.Println(err)
	// Output:
	// 2 000000001000 123456
	// mispos: malformed message: field 9F0F, offset 21: got a length past the end, want at most the 5 bytes that follow
}
