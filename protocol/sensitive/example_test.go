package sensitive_test

import (
	"encoding/json"
	"fmt"

	"yuanlu/protocol/sensitive"
)

func ExampleText() {
	pan := sensitive.New("6200000000000005")
	fmt.Printf("%v %q %x\n", pan, pan, pan)
	text, err := json.Marshal(map[string]any{"pan": pan})
	fmt.Println(string(text), err)
	fmt.Println(pan.Equal(sensitive.New("6200000000000005")), len(pan.Reveal()))
	// Output:
	// [hidden] [hidden] [hidden]
	// {"pan":"[hidden]"} <nil>
	// true 16
}
