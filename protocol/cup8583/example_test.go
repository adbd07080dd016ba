package cup8583_test

import (
	"encoding/hex"
	"fmt"

	"yuanlu/protocol/cup8583"
)

// A layout is data: the fields that an acquirer sends, in the notation of ParseFormat.
func ExampleLayout_Decode() {
	layout, err := cup8583.NewLayout(map[int]string{2: "n..19", 3: "n6", 4: "n12", 11: "n6", 41: "ans8"}, cup8583.Options{TPDU: 5, Head: 6})
	if err != nil {
		fmt.Println(err)
		return
	}
	in, _ := hex.DecodeString("6003000000" + "602200000000" + "0200" + "7020000000800000" +
		"16" + "6200000000000005" + "000000" + "000000001000" + "000032" + hex.EncodeToString([]byte("10000001")))
	var m cup8583.Message
	if err := layout.Decode(&m, in); err != nil {
		fmt.Println(err)
		return
	}
	account, _ := m.Account()
	fmt.Println(m.MTI(), m.Text(4), m.Text(11), m.Text(41), account)

	fmt.Println(layout.Decode(&m, in[:40]))
	// Output:
	// 0200 000000001000 000032 10000001 [hidden]
	// cup8583: malformed message: field F11, offset 39: got 1 byte, want 3 bytes
}

func ExampleParseFormat() {
	for _, text := range []string{"n..19", "z37", "n3 right", "x4"} {
		f, err := cup8583.ParseFormat(text)
		fmt.Println(f.Size, f.Prefix == cup8583.LL, f.Right, err)
	}
	// Output:
	// 19 true false <nil>
	// 37 false false <nil>
	// 3 false true <nil>
	// 0 false false cup8583: not a layout: format "x4", want n, z, an, ans or b, then dots and a size
}
