package currency_test

import (
	"fmt"

	"yuanlu/protocol/currency"
)

func ExampleByNumber() {
	fmt.Println(currency.ByNumber("156"))
	fmt.Println(currency.ByNumber("000"))
	// Output:
	// CNY true
	//  false
}
