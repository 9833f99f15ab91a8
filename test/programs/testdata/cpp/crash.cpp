struct list {
	list *next;
};

int main()
{
	list *volatile nowhere = nullptr;
	return nowhere->next != nullptr;
}
